// Package repetitions shows that each item is run several times, and only the first items are.
package repetitions

import (
	"context"
	"fmt"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func task(_ context.Context, item evalrpc.TaskItem) (any, error) {
	return fmt.Sprintf("%s-%d", item.Input.String(), item.Trial), nil
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name:        s.Unique("run"),
		Data:        evalrpc.Items{{ID: "a", Input: "a"}, {ID: "b", Input: "b"}, {ID: "c", Input: "c"}},
		Task:        evalrpc.TaskFunc(task),
		Repetitions: 3,
		DryRunItems: 2,
	})
	trials := [][]any{}
	for _, each := range result.ItemResults {
		trials = append(trials, []any{each.Item.ID, each.Trial, each.Output.String()})
	}
	return stage.Object{"trials": trials, "total": *result.Experiment.Progress.Total}
}
