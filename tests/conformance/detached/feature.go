// Package detached shows an experiment that is started and left alone, joined by its request id, looked at and listed.
package detached

import (
	"context"
	"errors"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func task(_ context.Context, input int) (int, error) {
	if input == 2 {
		return 0, errors.New("not this one")
	}
	return input, nil
}

func ids(results []*evalrpc.ItemResult) []string {
	found := []string{}
	for _, each := range results {
		found = append(found, each.Item.ID)
	}
	return found
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	s.Worker(ctx, client, evalrpc.Function{Name: s.Unique("task"), Task: evalrpc.TypedTask(task)})
	options := evalrpc.RunOptions{
		Name:      s.Unique("run"),
		Data:      evalrpc.Items{{ID: "one", Input: 1}, {ID: "two", Input: 2}, {ID: "three", Input: 3}},
		Task:      evalrpc.WorkerTask{Function: s.Unique("task")},
		RequestID: s.Unique("request"),
	}
	started := stage.Must(client.Start(ctx, options))
	again := stage.Must(client.Start(ctx, options))
	watch := client.Watch(ctx, started.ID, evalrpc.WatchOptions{})
	defer watch.Close()
	stage.All(watch.Events())
	listed := []evalrpc.ExperimentState{}
	for _, each := range stage.All(client.List(ctx, evalrpc.ListOptions{Name: s.Unique("run")})) {
		listed = append(listed, each.State)
	}
	failed := client.ListResults(ctx, started.ID, evalrpc.ListResultsOptions{FailedOnly: true})
	completed := client.ListResults(ctx, started.ID, evalrpc.ListResultsOptions{ByCompletion: true, PageSize: 1})
	return stage.Object{
		"started":       started.ID != "",
		"joined":        again.ID == started.ID,
		"state":         stage.Must(client.Get(ctx, started.ID)).State,
		"listed":        listed,
		"failed":        ids(stage.All(failed)),
		"by_completion": len(stage.All(completed)),
		"items":         ids(stage.Must(client.Result(ctx, started.ID)).ItemResults),
	}
}
