// Package registered_evaluators shows evaluators under names of the caller's: versions, their use, their end.
package registered_evaluators

import (
	"context"
	"strconv"
	"strings"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func same(_ context.Context, input string) (string, error) { return input, nil }

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	name := s.Unique("judge")
	client := s.Client()
	versions := []int{}
	for _, ignoreCase := range []bool{false, false, true} {
		evaluator := evalrpc.Builtin("contains", evalrpc.Params{"ignore_case": ignoreCase}).Named(name)
		versions = append(versions, stage.Must(client.RegisterEvaluator(ctx, evaluator, "")).Version)
	}
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name:       s.Unique("run"),
		Data:       evalrpc.Items{{Input: "PARIS", ExpectedOutput: "paris"}},
		Task:       evalrpc.TypedTask(same),
		Evaluators: []evalrpc.Evaluator{evalrpc.Registered(name).Named("accuracy")},
	})
	evaluations := []stage.Object{}
	for _, each := range result.ItemResults[0].Evaluations {
		_, version, _ := strings.Cut(each.Evaluator, "@")
		evaluations = append(evaluations, stage.Object{
			"name": each.Name, "value": each.Value, "version": stage.Must(strconv.Atoi(version)),
		})
	}
	listed := []int{}
	for _, each := range stage.All(client.ListEvaluators(ctx, name)) {
		listed = append(listed, each.Version)
	}
	if err := client.DeleteEvaluator(ctx, name); err != nil {
		panic(err)
	}
	_, err := client.GetEvaluator(ctx, name)
	return stage.Object{
		"versions":    versions,
		"evaluations": evaluations,
		"listed":      listed,
		"gone":        stage.ErrorOf(err)["kind"],
	}
}
