package evalrpc

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// RegisteredEvaluator is one version of a registered evaluator. Versions never change.
type RegisteredEvaluator struct {
	// Name it is registered under.
	Name string
	// Version, from 1.
	Version int
	// Description of what it is for.
	Description string
	// Spec of what it does.
	Spec *evalrpcv1.EvaluatorSpec
	// CreateTime is when this version was registered.
	CreateTime time.Time
}

// String returns the name and version, as [Registered] takes them: "accuracy@3".
func (e *RegisteredEvaluator) String() string { return fmt.Sprintf("%s@%d", e.Name, e.Version) }

// BuiltinEvaluator is one of the server's own evaluators.
type BuiltinEvaluator struct {
	// Name that [Builtin] takes.
	Name string
	// Level tells whether it looks at one item's result or at all results of a run.
	Level EvaluatorLevel
	// Description of what it computes.
	Description string
	// ParamsSchema is the JSON Schema of its parameters.
	ParamsSchema map[string]any
}

// EvaluatorLevel is what an evaluator looks at.
type EvaluatorLevel string

// The levels; AnyLevel is for asking alone.
const (
	AnyLevel  EvaluatorLevel = ""
	ItemLevel EvaluatorLevel = "item"
	RunLevel  EvaluatorLevel = "run"
)

// RegisterEvaluator registers an evaluator under its name. Content that the latest version has already is that version;
// other content is the next. The description is no part of the content, and may be empty.
func (c *Client) RegisterEvaluator(ctx context.Context, evaluator Evaluator, description string) (*RegisteredEvaluator, error) {
	if evaluator.err != nil {
		return nil, invalid(Violation{"evaluator", evaluator.err.Error()})
	}
	if evaluator.local() {
		return nil, invalid(Violation{"evaluator", "is a function of this process: host it with a Worker, and register " +
			"a WorkerEvaluator"})
	}
	request := &evalrpcv1.RegisterEvaluatorRequest{Evaluator: evaluator.message(), Description: description}
	response, err := call(ctx, c, c.evaluators.RegisterEvaluator, request)
	if err != nil {
		return nil, err
	}
	return registeredFromMessage(response.GetEvaluator()), nil
}

// GetEvaluator returns a registered evaluator: "accuracy" for its latest version, "accuracy@3" for that one.
func (c *Client) GetEvaluator(ctx context.Context, name string) (*RegisteredEvaluator, error) {
	response, err := call(ctx, c, c.evaluators.GetEvaluator, &evalrpcv1.GetEvaluatorRequest{Name: name})
	if err != nil {
		return nil, err
	}
	return registeredFromMessage(response.GetEvaluator()), nil
}

// ListEvaluators yields the latest versions of all evaluators, or all versions of one, the latest first, if a name is
// given.
func (c *Client) ListEvaluators(ctx context.Context, name string) iter.Seq2[*RegisteredEvaluator, error] {
	return pages(func(token string) ([]*RegisteredEvaluator, string, error) {
		request := &evalrpcv1.ListEvaluatorsRequest{Name: name, PageToken: token}
		response, err := call(ctx, c, c.evaluators.ListEvaluators, request)
		return mapped(response.GetEvaluators(), registeredFromMessage), response.GetNextPageToken(), err
	})
}

// DeleteEvaluator deletes a version of an evaluator ("accuracy@3"), or all of them ("accuracy").
func (c *Client) DeleteEvaluator(ctx context.Context, name string) error {
	_, err := call(ctx, c, c.evaluators.DeleteEvaluator, &evalrpcv1.DeleteEvaluatorRequest{Name: name})
	return err
}

// ListBuiltinEvaluators returns the server's own evaluators of a level by name, each with the JSON Schema of its
// parameters.
func (c *Client) ListBuiltinEvaluators(ctx context.Context, level EvaluatorLevel) ([]BuiltinEvaluator, error) {
	levels := map[EvaluatorLevel]evalrpcv1.EvaluatorLevel{
		AnyLevel:  evalrpcv1.EvaluatorLevel_EVALUATOR_LEVEL_UNSPECIFIED,
		ItemLevel: evalrpcv1.EvaluatorLevel_EVALUATOR_LEVEL_ITEM,
		RunLevel:  evalrpcv1.EvaluatorLevel_EVALUATOR_LEVEL_RUN,
	}
	number, known := levels[level]
	if !known {
		return nil, invalid(Violation{"level", "there is no level " + string(level)})
	}
	request := &evalrpcv1.ListBuiltinEvaluatorsRequest{Level: number}
	response, err := call(ctx, c, c.evaluators.ListBuiltinEvaluators, request)
	return mapped(response.GetEvaluators(), builtinFromMessage), err
}

func registeredFromMessage(message *evalrpcv1.Evaluator) *RegisteredEvaluator {
	return &RegisteredEvaluator{
		Name:        message.GetName(),
		Version:     int(message.GetVersion()),
		Description: message.GetDescription(),
		Spec:        message.GetSpec(),
		CreateTime:  timeOf(message.GetCreateTime()),
	}
}

func builtinFromMessage(message *evalrpcv1.Builtin) BuiltinEvaluator {
	level := ItemLevel
	if message.GetLevel() == evalrpcv1.EvaluatorLevel_EVALUATOR_LEVEL_RUN {
		level = RunLevel
	}
	return BuiltinEvaluator{message.GetName(), level, message.GetDescription(), message.GetParamsSchema().AsMap()}
}
