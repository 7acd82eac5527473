package accuracy

import (
	"os"
	"testing"

	"github.com/evalrpc/evalrpc/clients/go/internal/testserver"
)

// TestMain runs the tests against a server of this repository, unless there is one already.
func TestMain(m *testing.M) {
	if os.Getenv("EVALRPC_ADDRESS") != "" {
		os.Exit(m.Run())
	}
	testserver.Main(m)
}
