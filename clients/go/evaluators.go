package evalrpc

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// Evaluator looks at an item's result, at an item's evaluations, or at a run. Make one with the functions here; the zero
// value is none.
type Evaluator struct {
	spec *evalrpcv1.EvaluatorSpec
	item itemFunction
	run  runFunction
	err  error
}

// Params are the parameters of a builtin evaluator, by name.
type Params map[string]any

// Builtin returns one of the server's own evaluators, as [Client.ListBuiltinEvaluators] lists them.
func Builtin(name string, params Params) Evaluator {
	builtin := &evalrpcv1.BuiltinEvaluator{Name: name}
	var err error
	if len(params) > 0 {
		builtin.Params, err = structpb.NewStruct(params)
	}
	return Evaluator{spec: &evalrpcv1.EvaluatorSpec{Kind: &evalrpcv1.EvaluatorSpec_Builtin{Builtin: builtin}}, err: err}
}

// HTTPEvaluator returns an evaluator behind an HTTP endpoint of the caller's. The values of headers may hold secrets of
// the server by reference, ${secret:NAME}.
func HTTPEvaluator(name, url string, headers map[string]string) Evaluator {
	kind := &evalrpcv1.EvaluatorSpec_Http{Http: &evalrpcv1.HttpEvaluator{Url: url, Headers: headers}}
	return Evaluator{spec: &evalrpcv1.EvaluatorSpec{Name: name, Kind: kind}}
}

// GRPCEvaluator returns an evaluator behind a gRPC endpoint, as host:port, that implements evalrpc.v1.EvaluationService.
func GRPCEvaluator(name, target string) Evaluator {
	kind := &evalrpcv1.EvaluatorSpec_Grpc{Grpc: &evalrpcv1.GrpcEvaluator{Target: target}}
	return Evaluator{spec: &evalrpcv1.EvaluatorSpec{Name: name, Kind: kind}}
}

// Expression returns an evaluator that is a CEL expression over input, output, expected_output, metadata, contexts, usage
// and latency.
func Expression(name, expression string) Evaluator {
	kind := &evalrpcv1.EvaluatorSpec_Expression{Expression: &evalrpcv1.ExpressionEvaluator{Expression: expression}}
	return Evaluator{spec: &evalrpcv1.EvaluatorSpec{Name: name, Kind: kind}}
}

// WorkerEvaluator returns an evaluator function that a connected [Worker] hosts.
func WorkerEvaluator(name, function string) Evaluator {
	kind := &evalrpcv1.EvaluatorSpec_Worker{Worker: &evalrpcv1.WorkerEvaluator{Function: function}}
	return Evaluator{spec: &evalrpcv1.EvaluatorSpec{Name: name, Kind: kind}}
}

// Registered returns a registered evaluator: "accuracy" for its latest version, "accuracy@3" for that one.
func Registered(evaluator string) Evaluator {
	return Evaluator{spec: &evalrpcv1.EvaluatorSpec{Kind: &evalrpcv1.EvaluatorSpec_Registered{Registered: evaluator}}}
}

// EvaluatorSpec returns any evaluator of the contract.
func EvaluatorSpec(spec *evalrpcv1.EvaluatorSpec) Evaluator {
	return Evaluator{spec: proto.Clone(spec).(*evalrpcv1.EvaluatorSpec)}
}

// EvaluatorFunc returns an evaluator that runs in this process and looks at one item's result; as a composite evaluator
// it sees the item's evaluations. An error, or a panic, makes an evaluation with an error, and never a 0.
func EvaluatorFunc[T Verdict](name string, function func(ctx context.Context, input EvaluatorInput) (T, error)) Evaluator {
	return Evaluator{
		spec: &evalrpcv1.EvaluatorSpec{Name: name},
		item: func(ctx context.Context, input EvaluatorInput) ([]Evaluation, error) {
			return evaluationsOf(function(ctx, input))
		},
	}
}

// RunEvaluatorFunc returns an evaluator that runs in this process and looks at all results of a run.
func RunEvaluatorFunc[T Verdict](name string, function func(ctx context.Context, input RunEvaluatorInput) (T, error)) Evaluator {
	return Evaluator{
		spec: &evalrpcv1.EvaluatorSpec{Name: name},
		run: func(ctx context.Context, input RunEvaluatorInput) ([]Evaluation, error) {
			return evaluationsOf(function(ctx, input))
		},
	}
}

// Named returns the evaluator with a name for its evaluations.
func (e Evaluator) Named(name string) Evaluator {
	return e.with(func(spec *evalrpcv1.EvaluatorSpec) { spec.Name = name })
}

// WithTimeout returns the evaluator with a bound on how long one call may take. Default: the experiment's.
func (e Evaluator) WithTimeout(timeout time.Duration) Evaluator {
	return e.with(func(spec *evalrpcv1.EvaluatorSpec) { spec.Timeout = durationpb.New(timeout) })
}

// WithMaxConcurrency returns the evaluator with a bound on calls in flight. Default: the experiment's.
func (e Evaluator) WithMaxConcurrency(limit int) Evaluator {
	return e.with(func(spec *evalrpcv1.EvaluatorSpec) {
		bound := clamped(limit)
		spec.MaxConcurrency = &bound
	})
}

// Name returns the name of its evaluations.
func (e Evaluator) Name() string { return evaluatorName(e.spec) }

func (e Evaluator) with(change func(*evalrpcv1.EvaluatorSpec)) Evaluator {
	e.spec = proto.Clone(e.message()).(*evalrpcv1.EvaluatorSpec)
	change(e.spec)
	return e
}

func (e Evaluator) message() *evalrpcv1.EvaluatorSpec {
	if e.spec == nil {
		return &evalrpcv1.EvaluatorSpec{}
	}
	return e.spec
}

func (e Evaluator) none() bool { return e.spec == nil }

func (e Evaluator) local() bool { return e.item != nil || e.run != nil }

// hosted returns the evaluator as the contract's message; host takes in a function and returns its name.
func (e Evaluator) hosted(path string, host func(Function) string) (*evalrpcv1.EvaluatorSpec, error) {
	if e.err != nil {
		return nil, invalid(Violation{path, e.err.Error()})
	}
	if !e.local() {
		return e.message(), nil
	}
	function := host(Function{Name: e.Name(), Evaluator: e})
	return e.with(func(spec *evalrpcv1.EvaluatorSpec) {
		spec.Kind = &evalrpcv1.EvaluatorSpec_Worker{Worker: &evalrpcv1.WorkerEvaluator{Function: function}}
	}).spec, nil
}
