// Package worker_failure shows a function that fails, one that succeeds when it is called again, and one that never does.
package worker_failure

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func task(_ context.Context, item evalrpc.TaskItem) (any, error) {
	switch input := item.Input.String(); {
	case input == "broken":
		return nil, errors.New("no such thing")
	case input == "hopeless" || item.Attempt < 3:
		return nil, evalrpc.Retryable(errors.New("not yet"))
	}
	return "at last", nil
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	s.Worker(ctx, client, evalrpc.Function{Name: s.Unique("task"), Task: evalrpc.TaskFunc(task)})
	data := evalrpc.Items{}
	for _, each := range []string{"broken", "flaky", "hopeless"} {
		data = append(data, evalrpc.Item{ID: each, Input: each})
	}
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name:  s.Unique("run"),
		Data:  data,
		Task:  evalrpc.WorkerTask{Function: s.Unique("task")},
		Retry: evalrpc.RetryPolicy{MaxAttempts: 3, InitialBackoff: 10 * time.Millisecond},
	})
	return stage.Object{
		"items":    stage.Items(result.ItemResults),
		"says_why": strings.Contains(result.ItemResults[0].Failure.Message, "no such thing"),
		"retried":  result.Experiment.Progress.Retried,
	}
}
