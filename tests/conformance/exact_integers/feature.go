// Package exact_integers shows integers that no double holds; they reach the task, the evaluator and the caller to the last
// digit.
package exact_integers

import (
	"context"
	"math/big"

	"github.com/evalrpc/evalrpc/clients/go"
	"github.com/evalrpc/evalrpc/tests/conformance/stage"
)

func nextOne(_ context.Context, input *big.Int) (*big.Int, error) {
	return new(big.Int).Add(input, big.NewInt(1)), nil
}

func right(_ context.Context, input evalrpc.EvaluatorInput) (bool, error) {
	var given, output big.Int
	if err := input.Input.Decode(&given); err != nil {
		return false, err
	}
	err := input.Output.Decode(&output)
	return input.Output == input.ExpectedOutput && output.Cmp(given.Add(&given, big.NewInt(1))) == 0, err
}

// Run shows the feature.
func Run(ctx context.Context, s *stage.Stage) any {
	data := evalrpc.Items{}
	for _, digits := range []string{"9007199254740993", "-9223372036854775808", "123456789012345678901234567890"} {
		number, _ := new(big.Int).SetString(digits, 10)
		data = append(data, evalrpc.Item{Input: number, ExpectedOutput: stage.Must(nextOne(ctx, number))})
	}
	result := stage.Run(ctx, s.Client(), evalrpc.RunOptions{
		Name:       s.Unique("run"),
		Data:       data,
		Task:       evalrpc.TypedTask(nextOne),
		Evaluators: []evalrpc.Evaluator{evalrpc.EvaluatorFunc("right", right)},
	})
	inputs, outputs, verdicts := []string{}, []string{}, []any{}
	for _, each := range result.ItemResults {
		inputs = append(inputs, string(each.Item.Input))
		outputs = append(outputs, string(each.Output))
		verdicts = append(verdicts, each.Evaluations[0].Value)
	}
	return stage.Object{"inputs": inputs, "outputs": outputs, "right": verdicts}
}
