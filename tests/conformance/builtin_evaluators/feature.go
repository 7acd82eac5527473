// Package builtin_evaluators shows evaluators that the server brings: used, listed, and refused where there is none of the
// name.
package builtin_evaluators

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func answer(context.Context, evalrpc.TaskItem) (any, error) { return "It is Paris.", nil }

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name: s.Unique("run"),
		Data: evalrpc.Items{{Input: 1, ExpectedOutput: "paris"}},
		Task: evalrpc.TaskFunc(answer),
		Evaluators: []evalrpc.Evaluator{
			evalrpc.Builtin("contains", evalrpc.Params{"ignore_case": true}),
			evalrpc.Builtin("exact_match", nil).Named("exact"),
			evalrpc.Builtin("length", nil),
			evalrpc.Builtin("regex", evalrpc.Params{"pattern": "^It"}),
		},
		RunEvaluators: []evalrpc.Evaluator{evalrpc.Builtin("mean", evalrpc.Params{"evaluation": "contains"})},
	})
	listed := []any{}
	for _, each := range stage.Must(client.ListBuiltinEvaluators(ctx, evalrpc.ItemLevel)) {
		if each.Name == "contains" {
			properties, _ := each.ParamsSchema["properties"].(map[string]any)
			_, there := properties["ignore_case"]
			listed = append(listed, each.Level, there)
		}
	}
	_, err := client.Start(ctx, evalrpc.RunOptions{
		Name:       "x",
		Data:       evalrpc.Items{{Input: 1}},
		Task:       evalrpc.WorkerTask{Function: "f"},
		Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("nothing", nil)},
	})
	return stage.Object{
		"evaluations":     stage.Evaluations(result.ItemResults[0].Evaluations),
		"run_evaluations": stage.Evaluations(result.RunEvaluations()),
		"listed":          listed,
		"unknown":         stage.ErrorOf(err)["violations"],
	}
}
