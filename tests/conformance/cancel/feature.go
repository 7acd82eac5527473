// Package cancel shows a run that is cancelled; its functions learn of it.
package cancel

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	begun, told := stage.NewGate(), stage.NewGate()
	told.Open()
	name := s.Unique("held")
	client := s.Client()
	s.Worker(ctx, client, evalrpc.Function{
		Name: name,
		Task: evalrpc.TaskFunc(func(ctx context.Context, _ evalrpc.TaskItem) (any, error) {
			err := begun.Pass(ctx)
			if err != nil {
				_ = told.Pass(context.Background()) // it is open
			}
			return nil, err
		}),
	})
	started := stage.Must(client.Start(ctx, evalrpc.RunOptions{
		Name: s.Unique("run"),
		Data: evalrpc.Items{{Input: 0}, {Input: 1}},
		Task: evalrpc.WorkerTask{Function: name},
	}))
	begun.WaitFor(2)
	stage.Must(client.Cancel(ctx, started.ID))
	watch := client.Watch(ctx, started.ID, evalrpc.WatchOptions{})
	defer watch.Close()
	result := stage.Must(watch.Result(ctx))
	told.WaitFor(2)
	reasons := []string{}
	for _, each := range result.ItemResults {
		reasons = append(reasons, each.Failure.Reason)
	}
	return stage.Object{
		"state":  result.State(),
		"errors": reasons,
		"told":   2,
		"twice":  stage.Must(client.Cancel(ctx, started.ID)).State,
	}
}
