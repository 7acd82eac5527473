// Package worker_cancel shows calls that take too long: the functions learn of it, and the worker goes on.
package worker_cancel

import (
	"context"
	"encoding/json"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	told := stage.NewGate()
	told.Open()
	task := func(ctx context.Context, item evalrpc.TaskItem) (any, error) {
		if item.Input.String() != "endless" {
			return item.Input, nil
		}
		<-ctx.Done()
		return nil, told.Pass(context.Background())
	}
	client := s.Client()
	s.WorkerFor(ctx, client, 2, evalrpc.Function{Name: s.Unique("task"), Task: evalrpc.TaskFunc(task)})
	worker := evalrpc.WorkerTask{Function: s.Unique("task")}
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name:        s.Unique("run"),
		Data:        evalrpc.Items{{ID: "a", Input: "endless"}, {ID: "b", Input: "endless"}},
		Task:        worker,
		TaskTimeout: 300 * time.Millisecond,
		Retry:       evalrpc.RetryPolicy{MaxAttempts: 1},
	})
	told.WaitFor(2)
	after := stage.Run(ctx, client, evalrpc.RunOptions{
		Name: s.Unique("after"), Data: evalrpc.Items{{Input: 5}}, Task: worker,
	})
	reasons := []string{}
	for _, each := range result.ItemResults {
		reasons = append(reasons, each.Failure.Reason)
	}
	return stage.Object{
		"errors": reasons, "told": 2, "goes_on": json.RawMessage(after.ItemResults[0].Output),
	}
}
