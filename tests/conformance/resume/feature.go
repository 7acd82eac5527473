// Package resume shows a connection that is cut again and again under a run and its functions; both go on.
package resume

import (
	"context"
	"slices"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func same(_ context.Context, input int) (int, error) { return input, nil }

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	items := evalrpc.Items{}
	for number := range 30 {
		items = append(items, evalrpc.Item{Input: number})
	}
	run := stage.Must(s.WiredClient().Run(ctx, evalrpc.RunOptions{
		Name:           s.Unique("run"),
		Data:           items,
		Task:           evalrpc.TypedTask(same),
		MaxConcurrency: 2,
		Retry:          evalrpc.RetryPolicy{MaxAttempts: 5},
	}))
	defer run.Close()
	cuts, seen, withoutGaps, outputs := 0, 0, true, []int{}
	for event, err := range run.Events() {
		if err != nil {
			panic(err)
		}
		seen++
		withoutGaps = withoutGaps && event.Sequence == seen
		if event.ItemResult == nil {
			continue
		}
		var output int
		if err := event.ItemResult.Output.Decode(&output); err != nil {
			panic(err)
		}
		outputs = append(outputs, output)
		if slices.Contains([]int{5, 12, 20}, len(outputs)) {
			s.Cut()
			cuts++
		}
	}
	slices.Sort(outputs)
	return stage.Object{
		"state":        stage.Must(run.Result(ctx)).State(),
		"without_gaps": withoutGaps,
		"cuts":         cuts,
		"outputs":      outputs,
	}
}
