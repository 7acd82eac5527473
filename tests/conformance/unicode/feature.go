// Package unicode shows text in many scripts, with what needs escaping, that arrives as it was.
package unicode

import (
	"context"
	"encoding/json"
	"unicode/utf8"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

var texts = []string{
	"naïve café, e\u0301",
	"首都 \U0001f3f3\ufe0f\u200d\U0001f308",
	"\u0000\u2028\"\\\n",
	"\u05e9\u05dc\u05d5\u05dd\u200f",
}

func same(_ context.Context, input map[string]string) (map[string]string, error) { return input, nil }

func judge(context.Context, evalrpc.EvaluatorInput) (evalrpc.Evaluation, error) {
	return evalrpc.Evaluation{Name: "정확도", Value: evalrpc.Label("ναι"), Comment: "€ — 😀"}, nil
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	data := evalrpc.Items{}
	for _, text := range texts {
		data = append(data, evalrpc.Item{Input: map[string]string{"ключ": text}})
	}
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name:       "Δοκιμή 🧪",
		Data:       data,
		Task:       evalrpc.TypedTask(same),
		Evaluators: []evalrpc.Evaluator{evalrpc.EvaluatorFunc("judge", judge)},
	})
	outputs, evaluations, codePoints := []json.RawMessage{}, [][]any{}, []int{}
	for _, each := range result.ItemResults {
		said := each.Evaluations[0]
		outputs = append(outputs, json.RawMessage(each.Output))
		evaluations = append(evaluations, []any{said.Name, said.Value, said.Comment})
		var output map[string]string
		if err := each.Output.Decode(&output); err != nil {
			panic(err)
		}
		codePoints = append(codePoints, utf8.RuneCountInString(output["ключ"]))
	}
	return stage.Object{
		"outputs": outputs, "evaluations": evaluations, "name": result.Name(), "code_points": codePoints,
	}
}
