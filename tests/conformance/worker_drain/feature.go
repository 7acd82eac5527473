// Package worker_drain shows a worker that is asked to end and finishes what it has; another one does the rest.
package worker_drain

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
	leaving := s.Worker(ctx, client, host("leaving"))
	started := stage.Must(client.Start(ctx, evalrpc.RunOptions{
		Name:           s.Unique("run"),
		Data:           evalrpc.Items{{Input: 0}, {Input: 1}, {Input: 2}},
		Task:           evalrpc.WorkerTask{Function: s.Unique("held")},
		MaxConcurrency: 1,
	}))
	gate.WaitFor(1)
	leaving.Drain()
	s.Worker(ctx, client, host("staying"))
	gate.Open()
	watch := client.Watch(ctx, started.ID, evalrpc.WatchOptions{})
	defer watch.Close()
	outputs, attempts := []json.RawMessage{}, []int{}
	for _, each := range stage.Must(watch.Result(ctx)).ItemResults {
		outputs = append(outputs, json.RawMessage(each.Output))
		attempts = append(attempts, each.Attempts)
	}
	leaving.Stop()
	mutex.Lock()
	defer mutex.Unlock()
	return stage.Object{"outputs": outputs, "attempts": attempts, "by": by}
}
