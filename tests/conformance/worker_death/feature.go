// Package worker_death shows a worker that is gone without a word with calls in flight; when its lease is over, another one
// gets them.
package worker_death

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	gate := stage.NewGate()
	var mutex sync.Mutex
	by := map[string]int{}
	host := func(who string) evalrpc.Function {
		task := func(ctx context.Context, item evalrpc.TaskItem) (any, error) {
			mutex.Lock()
			by[who]++
			mutex.Unlock()
			return item.Input, gate.Pass(ctx)
		}
		return evalrpc.Function{Name: s.Unique("held"), Task: evalrpc.TaskFunc(task)}
	}
	client := s.Client()
	s.Worker(ctx, s.WiredClient(), host("gone"))
	started := stage.Must(client.Start(ctx, evalrpc.RunOptions{
		Name: s.Unique("run"),
		Data: evalrpc.Items{{Input: 0}, {Input: 1}},
		Task: evalrpc.WorkerTask{Function: s.Unique("held")},
	}))
	gate.WaitFor(2)
	s.Sever()
	defer s.Mend()
	s.Worker(ctx, client, host("there"))
	gate.WaitFor(2)
	gate.Open()
	watch := client.Watch(ctx, started.ID, evalrpc.WatchOptions{})
	defer watch.Close()
	result := stage.Must(watch.Result(ctx))
	outputs, attempts := []json.RawMessage{}, []int{}
	for _, each := range result.ItemResults {
		outputs = append(outputs, json.RawMessage(each.Output))
		attempts = append(attempts, each.Attempts)
	}
	mutex.Lock()
	defer mutex.Unlock()
	return stage.Object{
		"outputs": outputs, "attempts": attempts, "by": by, "retried": result.Experiment.Progress.Retried,
	}
}
