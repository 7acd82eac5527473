// Package events shows events as they happen: each once, in order, with the progress; and again for whoever comes later.
package events

import (
	"context"
	"slices"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func same(_ context.Context, input int) (int, error) { return input, nil }

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	run := stage.Must(client.Run(ctx, evalrpc.RunOptions{
		Name: s.Unique("run"),
		Data: evalrpc.Items{{Input: 0}, {Input: 1}, {Input: 2}, {Input: 3}, {Input: 4}},
		Task: evalrpc.TypedTask(same),
	}))
	defer run.Close()
	seen := stage.All(run.Events())
	results, completed, withoutGaps := []int{}, []int{}, true
	for index, event := range seen {
		withoutGaps = withoutGaps && event.Sequence == index+1
		if event.ItemResult != nil {
			var output int
			if err := event.ItemResult.Output.Decode(&output); err != nil {
				panic(err)
			}
			results = append(results, output)
			completed = append(completed, event.Progress.Completed)
		}
	}
	slices.Sort(results)
	last := seen[len(seen)-1].Experiment
	watch := client.Watch(ctx, last.ID, evalrpc.WatchOptions{AfterSequence: 2})
	defer watch.Close()
	again := stage.All(watch.Events())
	return stage.Object{
		"without_gaps": withoutGaps,
		"results":      results,
		"completed":    completed,
		"last":         []any{last.State, last.Progress.Completed},
		"again":        len(again) == len(seen)-2 && again[0].Sequence == 3,
	}
}
