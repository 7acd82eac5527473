package evalrpc

import (
	"context"
	"fmt"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// EvaluateOptions say how to evaluate stored outputs anew. Evaluators that are functions need a [Worker].
type EvaluateOptions struct {
	// Evaluators look at each item's result. At least one of them and of the RunEvaluators is required.
	Evaluators []Evaluator
	// CompositeEvaluator sees an item's new evaluations and adds its own.
	CompositeEvaluator Evaluator
	// RunEvaluators look at all results with their new evaluations.
	RunEvaluators []Evaluator
	// RunName of the new run. Default: that of the old one, followed by " - evaluated <UTC time>".
	RunName string
	// RequestID makes a repeat of the call join the experiment. Default: a new one.
	RequestID string
}

// RetryScope is which failed stages are repeated.
type RetryScope string

// The scopes: failed tasks with their evaluations, failed evaluations, or both, which is the default.
const (
	RetryAll         RetryScope = "ALL"
	RetryTasks       RetryScope = "TASKS"
	RetryEvaluations RetryScope = "EVALUATIONS"
)

// RetryOptions say what to repeat.
type RetryOptions struct {
	// Scope of what is repeated. Default: RetryAll.
	Scope RetryScope
	// RunName of the new run. Default: that of the old one, followed by " - retried <UTC time>".
	RunName string
	// RequestID makes a repeat of the call join the experiment. Default: a new one.
	RequestID string
}

// Evaluate starts an experiment that asks evaluators about the stored outputs of one that has ended. No task is called.
func (c *Client) Evaluate(ctx context.Context, experimentID string, options EvaluateOptions) (*Experiment, error) {
	request := &evalrpcv1.EvaluateExperimentRequest{
		Id: experimentID, RunName: options.RunName, RequestId: orNewUUID(options.RequestID),
	}
	for _, list := range []struct {
		path       string
		evaluators []Evaluator
		target     *[]*evalrpcv1.EvaluatorSpec
	}{
		{"evaluators", options.Evaluators, &request.Evaluators},
		{"run_evaluators", options.RunEvaluators, &request.RunEvaluators},
	} {
		for i, evaluator := range list.evaluators {
			message, err := evaluator.remote(fmt.Sprintf("%s[%d]", list.path, i))
			if err != nil {
				return nil, err
			}
			*list.target = append(*list.target, message)
		}
	}
	if !options.CompositeEvaluator.none() {
		message, err := options.CompositeEvaluator.remote("composite_evaluator")
		if err != nil {
			return nil, err
		}
		request.CompositeEvaluator = message
	}
	response, err := call(ctx, c, c.experiments.EvaluateExperiment, request)
	if err != nil {
		return nil, err
	}
	return experimentFromMessage(response.GetExperiment()), nil
}

// Retry starts an experiment that repeats what failed in one that has ended, and keeps the rest.
func (c *Client) Retry(ctx context.Context, experimentID string, options RetryOptions) (*Experiment, error) {
	request := &evalrpcv1.RetryExperimentRequest{
		Id: experimentID, RunName: options.RunName, RequestId: orNewUUID(options.RequestID),
	}
	if options.Scope != "" {
		scope, known := evalrpcv1.RetryScope_value["RETRY_SCOPE_"+string(options.Scope)]
		if !known {
			return nil, invalid(Violation{"scope", "there is no scope " + string(options.Scope)})
		}
		request.Scope = evalrpcv1.RetryScope(scope)
	}
	response, err := call(ctx, c, c.experiments.RetryExperiment, request)
	if err != nil {
		return nil, err
	}
	return experimentFromMessage(response.GetExperiment()), nil
}

// remote returns an evaluator that runs elsewhere as the contract's message.
func (e Evaluator) remote(path string) (*evalrpcv1.EvaluatorSpec, error) {
	if e.local() {
		return nil, invalid(Violation{path, "is a function of this process: host it with a Worker, and name it by WorkerEvaluator"})
	}
	return e.hosted(path, nil)
}

func orNewUUID(id string) string {
	if id == "" {
		return newUUID()
	}
	return id
}
