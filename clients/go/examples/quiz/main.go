// Command quiz runs an experiment whose task and evaluators are functions of this program.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/evalrpc/evalrpc/clients/go"
)

func answer(_ context.Context, question string) (string, error) {
	return map[string]string{"What is the capital of France?": "It is Paris."}[question], nil
}

func short(_ context.Context, input evalrpc.EvaluatorInput) (bool, error) {
	return len(input.Output.String()) < 20, nil
}

func main() {
	client, err := evalrpc.NewClient("") // EVALRPC_ADDRESS, or localhost:50051
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	run, err := client.Run(ctx, evalrpc.RunOptions{
		Name: "Geography Quiz",
		Data: evalrpc.Items{
			{Input: "What is the capital of France?", ExpectedOutput: "Paris"},
			{Input: "What is the capital of Germany?", ExpectedOutput: "Berlin"},
		},
		Task: evalrpc.TypedTask(answer),
		Evaluators: []evalrpc.Evaluator{
			evalrpc.Builtin("contains", evalrpc.Params{"ignore_case": true}).Named("accuracy"),
			evalrpc.EvaluatorFunc("short", short),
		},
		RunEvaluators: []evalrpc.Evaluator{
			evalrpc.Builtin("mean", evalrpc.Params{"evaluation": "accuracy"}).Named("avg_accuracy"),
		},
		MaxConcurrency: 10,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer run.Close()
	result, err := run.Result(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Format(evalrpc.IncludeItemResults()))
}
