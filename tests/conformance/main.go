// Command conformance runs all features with the Go client; with `--host ID DIRECTORY` it is a worker instead.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/evalrpc/evalrpc/tests/conformance/hosting"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

const timeout = 2 * time.Minute

func main() {
	if len(os.Args) == 4 && os.Args[1] == "--host" {
		if err := hosting.Host(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	names := os.Args[1:]
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(features))
	}
	for _, name := range names {
		text, err := json.Marshal(shown(name))
		if err != nil {
			text, _ = json.Marshal(map[string]string{"feature": name, "failure": err.Error()}) // strings can be written
		}
		fmt.Println(string(text))
	}
}

func shown(name string) (line any) {
	failed := func(why any) any { return map[string]any{"feature": name, "failure": fmt.Sprint(why)} }
	run, there := features[name]
	if !there {
		return failed("it is not there in Go")
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	made := stage.New(name)
	defer made.Close()
	defer func() {
		if why := recover(); why != nil {
			line = failed(fmt.Sprintf("%v\n%s", why, debug.Stack()))
		}
	}()
	return struct {
		Feature string `json:"feature"`
		Outcome any    `json:"outcome"`
	}{name, run(ctx, made)}
}
