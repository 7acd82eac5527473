// Package dataset runs a local function over a dataset in Langfuse, and over a part of it; the results are recorded there.
package dataset

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

var capitals = map[string]string{"Austria": "Vienna", "Germany": "Berlin", "Japan": "Kyoto"}

func answer(_ context.Context, country string) (string, error) { return capitals[country], nil }

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name:         s.Unique("capitals"),
		Data:         evalrpc.LangfuseDataset{Name: "capitals"},
		Task:         evalrpc.TypedTask(answer),
		Evaluators:   []evalrpc.Evaluator{evalrpc.Builtin("exact_match", nil).Named("accuracy")},
		LangfuseSync: evalrpcv1.LangfuseSync_LANGFUSE_SYNC_WAIT,
	})
	asia := stage.Run(ctx, client, evalrpc.RunOptions{
		Name: s.Unique("part"),
		Data: evalrpc.LangfuseDataset{Name: "capitals", MetadataEquals: map[string]any{"continent": "Asia"}},
		Task: evalrpc.TypedTask(answer),
	})
	items := stage.Object{}
	for _, each := range result.ItemResults {
		items[each.Item.DatasetItemID] = []any{each.Item.Input.String(), each.Evaluations[0].Value}
	}
	inAsia := []string{}
	for _, each := range asia.ItemResults {
		inAsia = append(inAsia, each.Item.DatasetItemID)
	}
	recorded := result.Experiment.Langfuse
	return stage.Object{
		"state":    result.State(),
		"items":    items,
		"recorded": recorded.Accepted > 0 && recorded.DatasetRunID != "",
		"rejected": recorded.Rejected,
		"queued":   recorded.Queued,
		"in_asia":  inAsia,
	}
}
