// Package worker_reconnect shows a worker whose connection is cut and that comes back, and its calls go on: none is made
// twice.
package worker_reconnect

import (
	"context"
	"encoding/json"
	"sync/atomic"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	gate := stage.NewGate()
	var calls atomic.Int32
	held := func(ctx context.Context, item evalrpc.TaskItem) (any, error) {
		calls.Add(1)
		return item.Input, gate.Pass(ctx)
	}
	client := s.Client()
	s.Worker(ctx, s.WiredClient(), evalrpc.Function{Name: s.Unique("held"), Task: evalrpc.TaskFunc(held)})
	started := stage.Must(client.Start(ctx, evalrpc.RunOptions{
		Name: s.Unique("run"),
		Data: evalrpc.Items{{Input: 0}, {Input: 1}, {Input: 2}, {Input: 3}},
		Task: evalrpc.WorkerTask{Function: s.Unique("held")},
	}))
	gate.WaitFor(4)
	s.Cut()
	gate.Open()
	watch := client.Watch(ctx, started.ID, evalrpc.WatchOptions{})
	defer watch.Close()
	outputs, attempts := []json.RawMessage{}, []int{}
	for _, each := range stage.Must(watch.Result(ctx)).ItemResults {
		outputs = append(outputs, json.RawMessage(each.Output))
		attempts = append(attempts, each.Attempts)
	}
	return stage.Object{"outputs": outputs, "attempts": attempts, "calls": calls.Load()}
}
