// Package hosting is a worker in Go: a function that notes its calls and holds some of them, for survival.py, and one that
// does nothing.
package hosting

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

const (
	function = "survive"
	held     = 20 // every so many-th item is held
	poll     = 20 * time.Millisecond
)

func nothing(context.Context, evalrpc.TaskItem) (any, error) { return nil, nil }

// Host hosts the functions until the process is asked to end: survive, and nothing-ID. A call of the first appends a line to
// DIRECTORY/ID: the input, and the time in milliseconds. Held calls last until DIRECTORY/open exists.
func Host(id, directory string) error {
	var told struct{ Address string }
	if err := json.Unmarshal([]byte(os.Getenv("CONFORMANCE")), &told); err != nil {
		return err
	}
	notes := stage.Must(os.OpenFile(filepath.Join(directory, id), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600))
	survive := func(ctx context.Context, number int) (int, error) {
		if _, err := fmt.Fprintf(notes, "%d %d\n", number, time.Now().UnixMilli()); err != nil {
			return 0, err
		}
		time.Sleep(2 * time.Millisecond)
		for number%held == held-1 {
			if _, err := os.Stat(filepath.Join(directory, "open")); err == nil {
				break
			}
			select {
			case <-time.After(poll):
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}
		return number * number, nil
	}
	client := stage.Must(evalrpc.NewClient(told.Address))
	worker := stage.Must(evalrpc.NewWorker(client, evalrpc.WorkerOptions{
		ID: id, MaxInFlight: 64, Functions: []evalrpc.Function{
			{Name: function, Task: evalrpc.TypedTask(survive)},
			{Name: "nothing-" + id, Task: evalrpc.TaskFunc(nothing)},
		},
	}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		for !worker.Stats().Connected {
			time.Sleep(5 * time.Millisecond)
		}
		fmt.Println("connected")
	}()
	return worker.Serve(ctx)
}
