// Package judges shows language models that judge, CEL expressions, and how far a judge agrees with people; this one lacks its
// key.
package judges

import (
	"context"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func answer(context.Context, evalrpc.TaskItem) (any, error) { return "It is Paris.", nil }

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	client := s.Client()
	polite := evalrpc.Judge("polite", &evalrpcv1.JudgeEvaluator{
		Criterion: &evalrpcv1.JudgeEvaluator_Rubric{Rubric: "Is the output polite?"},
		Verdict:   &evalrpcv1.JudgeEvaluator_Boolean{Boolean: &evalrpcv1.JudgeBoolean{}},
		Models:    evalrpc.JudgeModels("NOT_THERE", "m"),
	})
	result := stage.Run(ctx, client, evalrpc.RunOptions{
		Name:       s.Unique("run"),
		Data:       evalrpc.Items{{Input: 1}},
		Task:       evalrpc.TaskFunc(answer),
		Evaluators: []evalrpc.Evaluator{evalrpc.Expression("long", "size(output) > 20"), polite},
	})
	outputs := []evalrpc.LabelledOutput{
		{Output: "Please.", Verdict: evalrpc.Boolean(true)},
		{Output: "No!", Verdict: evalrpc.Boolean(false)},
	}
	measured := stage.Must(client.CalibrateJudge(ctx, polite, outputs, nil))
	_, err := client.Start(ctx, evalrpc.RunOptions{
		Name:       "x",
		Data:       evalrpc.Items{{Input: 1}},
		Task:       evalrpc.WorkerTask{Function: "f"},
		Evaluators: []evalrpc.Evaluator{evalrpc.Expression("wrong", "answer > 1")},
	})
	return stage.Object{
		"evaluations": stage.Evaluations(result.ItemResults[0].Evaluations),
		"calibration": []any{measured.N, measured.Errors, measured.Unscored},
		"wrong":       stage.ErrorOf(err)["violations"],
	}
}
