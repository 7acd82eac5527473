// Command evaluators shows the kinds of evaluators: of items, of an item's evaluations, and of a run.
package main

import (
	"context"
	"fmt"
	"log"
	"strings"

	"github.com/evalrpc/evalrpc/clients/go"
)

func shout(_ context.Context, text string) (string, error) { return strings.ToUpper(text), nil }

// judge gives several evaluations at once.
func judge(_ context.Context, input evalrpc.EvaluatorInput) ([]evalrpc.Evaluation, error) {
	if input.ExpectedOutput.Absent() {
		return []evalrpc.Evaluation{{Value: evalrpc.Unscored("the item has no expected output")}}, nil
	}
	return []evalrpc.Evaluation{
		{Name: "right", Value: evalrpc.Boolean(input.Output == input.ExpectedOutput), Comment: "letter by letter"},
		{Name: "tone", Value: evalrpc.Label("loud")},
	}, nil
}

// overall is a composite evaluator: it sees the item's evaluations.
func overall(_ context.Context, input evalrpc.EvaluatorInput) (float64, error) {
	sum := 0.0
	for _, evaluation := range input.Evaluations {
		if number, ok := evaluation.Number(); ok {
			sum += number
		}
	}
	return sum / float64(len(input.Evaluations)), nil
}

// answered is a run evaluator: it reads all results while they arrive.
func answered(_ context.Context, input evalrpc.RunEvaluatorInput) (int, error) {
	count := 0
	for result, err := range input.Results() {
		if err != nil {
			return 0, err
		}
		if result.Failure == nil {
			count++
		}
	}
	return count, nil
}

func main() {
	client, err := evalrpc.NewClient("")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	registered, err := client.RegisterEvaluator(ctx, evalrpc.Builtin("length", nil).Named("size"), "counts characters")
	if err != nil {
		log.Fatal(err)
	}
	run, err := client.Run(ctx, evalrpc.RunOptions{
		Name: "Evaluators",
		Data: evalrpc.Items{{Input: "paris", ExpectedOutput: "PARIS"}, {Input: "bonn"}},
		Task: evalrpc.TypedTask(shout),
		Evaluators: []evalrpc.Evaluator{
			evalrpc.EvaluatorFunc("judge", judge),
			evalrpc.Registered(registered.String()),
		},
		CompositeEvaluator: evalrpc.EvaluatorFunc("overall", overall),
		RunEvaluators:      []evalrpc.Evaluator{evalrpc.RunEvaluatorFunc("answered", answered)},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	result, err := run.Result(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Format())
}
