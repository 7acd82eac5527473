// Package evalrpc is the Go client of evalrpc, an experiment runner as a gRPC service.
//
// An experiment runs a task over items, judges each output with evaluators and the whole with run evaluators. The server
// drives it, stores it, and streams what happens:
//
//	client, err := evalrpc.NewClient("localhost:50051")
//	...
//	defer client.Close()
//	run, err := client.Run(ctx, evalrpc.RunOptions{
//		Name:       "Geography Quiz",
//		Data:       evalrpc.Items{{Input: "What is the capital of France?", ExpectedOutput: "Paris"}},
//		Task:       evalrpc.HTTPTask{URL: "http://127.0.0.1:9000/task"},
//		Evaluators: []evalrpc.Evaluator{evalrpc.Builtin("contains", evalrpc.Params{"ignore_case": true}).Named("accuracy")},
//	})
//	...
//	defer run.Close()
//	result, err := run.Result(ctx)
//	fmt.Println(result.Format())
//
// Tasks and evaluators can also be functions of the calling program; see [TaskFunc], [EvaluatorFunc],
// [RunEvaluatorFunc] and [Worker].
package evalrpc

// Version is the version of this package, as it is told to servers.
const Version = "0.1.0"
