package evalrpc

import (
	"math"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

func timeOf(message *timestamppb.Timestamp) time.Time {
	if message == nil {
		return time.Time{}
	}
	return message.AsTime()
}

// durationMessage returns nil for 0, which stands for the default wherever callers give durations.
func durationMessage(duration time.Duration) *durationpb.Duration {
	if duration == 0 {
		return nil
	}
	return durationpb.New(duration)
}

func intOf(value *int32) *int {
	if value == nil {
		return nil
	}
	wide := int(*value)
	return &wide
}

// int32Of returns nil for 0, which stands for the default wherever callers give counts.
func int32Of(value int) *int32 {
	if value == 0 {
		return nil
	}
	narrow := clamped(value)
	return &narrow
}

func clamped(value int) int32 { return int32(min(max(value, math.MinInt32), math.MaxInt32)) }

func failureFromMessage(message *evalrpcv1.Error) *Failure {
	if message == nil {
		return nil
	}
	return &Failure{message.GetReason(), message.GetMessage(), message.GetMetadata(), message.GetRetryable()}
}

func usageFromMessage(message *evalrpcv1.Usage) *Usage {
	if message == nil {
		return nil
	}
	return &Usage{intOf(message.InputTokens), intOf(message.OutputTokens), message.CostUsd, message.GetModel()}
}

func usageMessage(usage *Usage) *evalrpcv1.Usage {
	if usage == nil {
		return nil
	}
	message := &evalrpcv1.Usage{CostUsd: usage.CostUSD, Model: usage.Model}
	if usage.InputTokens != nil {
		tokens := clamped(*usage.InputTokens)
		message.InputTokens = &tokens
	}
	if usage.OutputTokens != nil {
		tokens := clamped(*usage.OutputTokens)
		message.OutputTokens = &tokens
	}
	return message
}

func contextsFromMessages(messages []*evalrpcv1.Context) []Context {
	contexts := make([]Context, len(messages))
	for i, each := range messages {
		contexts[i] = Context{each.GetText(), each.GetId(), each.GetSource(), each.Score}
	}
	return contexts
}

func contextMessages(contexts []Context) []*evalrpcv1.Context {
	messages := make([]*evalrpcv1.Context, len(contexts))
	for i, each := range contexts {
		messages[i] = &evalrpcv1.Context{Text: each.Text, Id: each.ID, Source: each.Source, Score: each.Score}
	}
	return messages
}

// valueOf reads a verdict. One whose kind this version does not know is unscored and says so.
func valueOf(message *evalrpcv1.Evaluation) Value {
	switch value := message.GetValue().(type) {
	case *evalrpcv1.Evaluation_Number:
		return Number(value.Number)
	case *evalrpcv1.Evaluation_Boolean:
		return Boolean(value.Boolean)
	case *evalrpcv1.Evaluation_Label:
		return Label(value.Label)
	case *evalrpcv1.Evaluation_Unscored:
		return Unscored(value.Unscored.GetReason())
	case *evalrpcv1.Evaluation_Error:
		return failureFromMessage(value.Error)
	}
	return Unscored("its kind of value is unknown to this version of the client")
}

func evaluationsFromMessages(messages []*evalrpcv1.Evaluation) []Evaluation {
	evaluations := make([]Evaluation, len(messages))
	for i, message := range messages {
		evaluations[i] = Evaluation{
			Name:      message.GetName(),
			Value:     valueOf(message),
			Comment:   message.GetComment(),
			Metadata:  jsonFromMessage(message.GetMetadata()),
			ConfigID:  message.GetConfigId(),
			Evaluator: message.GetEvaluator(),
			Duration:  message.GetDuration().AsDuration(),
			Usage:     usageFromMessage(message.GetUsage()),
		}
	}
	return evaluations
}

func experimentItemFromMessage(message *evalrpcv1.ExperimentItem) ExperimentItem {
	return ExperimentItem{
		ID:             message.GetId(),
		Index:          int(message.GetIndex()),
		DatasetItemID:  message.GetDatasetItemId(),
		Input:          jsonFromMessage(message.GetInput()),
		ExpectedOutput: jsonFromMessage(message.GetExpectedOutput()),
		Metadata:       jsonFromMessage(message.GetMetadata()),
	}
}

func itemResultFromMessage(message *evalrpcv1.ItemResult) *ItemResult {
	return &ItemResult{
		Item:               experimentItemFromMessage(message.GetItem()),
		Trial:              int(message.GetTrial()),
		Output:             jsonFromMessage(message.GetOutput()),
		Evaluations:        evaluationsFromMessages(message.GetEvaluations()),
		Failure:            failureFromMessage(message.GetError()),
		Contexts:           contextsFromMessages(message.GetContexts()),
		TraceID:            message.GetTraceId(),
		TraceURL:           message.GetTraceUrl(),
		StartTime:          timeOf(message.GetStartTime()),
		TaskDuration:       message.GetTaskDuration().AsDuration(),
		EvaluationDuration: message.GetEvaluationDuration().AsDuration(),
		Attempts:           int(message.GetAttempts()),
		Usage:              usageFromMessage(message.GetUsage()),
		OutputMetadata:     jsonFromMessage(message.GetOutputMetadata()),
	}
}

// eventFromMessage returns nil for a checkpoint, and for a kind that this version does not know.
func eventFromMessage(message *evalrpcv1.ExperimentEvent) *Event {
	event := &Event{
		Sequence: int(message.GetSequence()),
		Time:     timeOf(message.GetTime()),
		Progress: progressFromMessage(message.GetProgress()),
	}
	switch kind := message.GetKind().(type) {
	case *evalrpcv1.ExperimentEvent_ItemResult:
		event.ItemResult = itemResultFromMessage(kind.ItemResult)
	case *evalrpcv1.ExperimentEvent_Experiment:
		event.Experiment = experimentFromMessage(kind.Experiment)
	case *evalrpcv1.ExperimentEvent_RunEvaluations:
		event.RunEvaluations = evaluationsFromMessages(kind.RunEvaluations.GetEvaluations())
	default:
		return nil
	}
	return event
}

// evaluatorName returns the name of an evaluator's evaluations, which two kinds give by default.
func evaluatorName(spec *evalrpcv1.EvaluatorSpec) string {
	if spec.GetName() != "" {
		return spec.GetName()
	}
	if name := spec.GetBuiltin().GetName(); name != "" {
		return name
	}
	name, _, _ := strings.Cut(spec.GetRegistered(), "@")
	return name
}
