package testserver

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// Shared is the server of a package's tests; [Main] starts it.
var Shared *Server

// Main runs a package's tests beside one server: func TestMain(m *testing.M) { testserver.Main(m) }.
func Main(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	folder, err := os.MkdirTemp("", "evalrpc-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }() // a folder of its own, in the system's place for such
	definitions := filepath.Join(folder, "definitions")
	if err := define(definitions, "nightly", `{"description": "every night", "max_concurrency": 3}`); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if Shared, err = Start(folder, "", "EVALRPC_DEFINITIONS="+definitions); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer Shared.Stop()
	// Examples find the server as a user's programs do.
	if err := os.Setenv("EVALRPC_ADDRESS", Shared.Address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// define keeps an experiment under a name.
func define(folder, name, spec string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, name+".json"), []byte(spec), 0o600)
}
