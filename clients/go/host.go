package evalrpc

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

const maxFunctionName = 255

// Function is a function of this process that a [Worker] hosts.
type Function struct {
	// Name by which specs refer to it. Default: the evaluator's name.
	Name string
	// Description of what it does.
	Description string
	// InputSchema is the JSON Schema of the inputs it takes; nil for any.
	InputSchema map[string]any
	// Task to host; exactly one of it and Evaluator is required.
	Task TaskFunc
	// Evaluator to host, made with [EvaluatorFunc] or [RunEvaluatorFunc].
	Evaluator Evaluator
}

// toMessage returns the function as a worker introduces it.
func (f Function) toMessage(index int) (*evalrpcv1.HostedFunction, error) {
	path := fmt.Sprintf("functions[%d]", index)
	message := &evalrpcv1.HostedFunction{Name: f.Name, Description: f.Description}
	switch {
	case f.Task != nil && f.Evaluator.none():
		message.Kind = evalrpcv1.FunctionKind_FUNCTION_KIND_TASK
	case f.Task == nil && f.Evaluator.item != nil:
		message.Kind = evalrpcv1.FunctionKind_FUNCTION_KIND_EVALUATOR
	case f.Task == nil && f.Evaluator.run != nil:
		message.Kind = evalrpcv1.FunctionKind_FUNCTION_KIND_RUN_EVALUATOR
	default:
		return nil, invalid(Violation{path, "must have a Task, or an Evaluator made with EvaluatorFunc or RunEvaluatorFunc"})
	}
	if f.InputSchema != nil {
		schema, err := structpb.NewStruct(f.InputSchema)
		if err != nil {
			return nil, invalid(Violation{path + ".input_schema", err.Error()})
		}
		message.InputSchema = schema
	}
	return message, nil
}

// host takes in a function of a run and returns the name to host it under. A repeat of the run under its request id has
// the same names, so that it joins the experiment and serves it.
func (p *plan) host(function Function) string {
	hash := sha256.Sum256([]byte(p.requestID))
	name := fmt.Sprintf("run-%s/%d/%s", hex.EncodeToString(hash[:8]), len(p.functions), function.Name)
	function.Name = truncated(name, maxFunctionName)
	p.functions = append(p.functions, function)
	return function.Name
}

func truncated(text string, limit int) string {
	if characters := []rune(text); len(characters) > limit {
		return string(characters[:limit])
	}
	return text
}
