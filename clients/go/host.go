package evalrpc

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

func (r *Run) host(*plan) error { return nil }
