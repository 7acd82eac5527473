package evalrpc

import (
	"context"
	"errors"
	"fmt"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// invoke calls a hosted function and returns its report, whatever the function does.
func invoke(
	ctx context.Context, function Function, assignment *evalrpcv1.Assignment, chunks *chunkQueue,
) (report *evalrpcv1.TaskReport) {
	reason := "EVALUATOR_FAILED"
	defer func() {
		if problem := recover(); problem != nil {
			report = failed(reason, fmt.Errorf("panic: %v", problem))
		}
		report.TaskToken = assignment.GetTaskToken()
	}()
	switch call := assignment.GetCall().(type) {
	case *evalrpcv1.Assignment_Task:
		reason = "TASK_FAILED"
		if function.Task == nil {
			return handback("hosts " + function.Name + " not as a task")
		}
		output, err := function.Task(ctx, taskItem(call.Task, int(assignment.GetAttempt())))
		return taskReport(output, err)
	case *evalrpcv1.Assignment_Evaluator:
		if function.Evaluator.item == nil {
			return handback("hosts " + function.Name + " not as an evaluator")
		}
		evaluations, err := function.Evaluator.item(ctx, evaluatorInput(call.Evaluator))
		return evaluatorReport(evaluations, err)
	case *evalrpcv1.Assignment_RunEvaluator:
		if function.Evaluator.run == nil {
			return handback("hosts " + function.Name + " not as a run evaluator")
		}
		evaluations, err := function.Evaluator.run(ctx, RunEvaluatorInput{
			Experiment:      experimentInfo(call.RunEvaluator.GetExperiment()),
			ItemResultCount: int(call.RunEvaluator.GetItemResultCount()),
			results:         chunks.results(ctx),
		})
		return evaluatorReport(evaluations, err)
	}
	return handback("does not know this kind of call")
}

func taskReport(output any, err error) *evalrpcv1.TaskReport {
	if err != nil {
		return failed("TASK_FAILED", err)
	}
	whole, ok := output.(TaskOutput)
	if !ok {
		whole = TaskOutput{Output: output}
	}
	response := &evalrpcv1.RunTaskResponse{Contexts: contextMessages(whole.Contexts), Usage: usageMessage(whole.Usage)}
	document, err := NewJSON(whole.Output)
	if err != nil {
		return failed("TASK_FAILED", fmt.Errorf("the output %w", err))
	}
	response.Output = document.toMessage()
	if whole.Metadata != nil {
		metadata, err := NewJSON(whole.Metadata)
		if err != nil {
			return failed("TASK_FAILED", fmt.Errorf("the output's metadata %w", err))
		}
		response.Metadata = metadata.toMessage()
	}
	return &evalrpcv1.TaskReport{Outcome: &evalrpcv1.TaskReport_Task{Task: response}}
}

func evaluatorReport(evaluations []Evaluation, err error) *evalrpcv1.TaskReport {
	if err != nil {
		return failed("EVALUATOR_FAILED", err)
	}
	response := &evalrpcv1.EvaluateItemResponse{Evaluations: mapped(evaluations, evaluationMessage)}
	return &evalrpcv1.TaskReport{Outcome: &evalrpcv1.TaskReport_Evaluations{Evaluations: response}}
}

// failed reports why a function failed. A [Failure] keeps its reason and facts.
func failed(reason string, err error) *evalrpcv1.TaskReport {
	return &evalrpcv1.TaskReport{Outcome: &evalrpcv1.TaskReport_Error{Error: failureMessage(reason, err)}}
}

func failureMessage(reason string, err error) *evalrpcv1.Error {
	message := &evalrpcv1.Error{
		Reason: reason, Message: err.Error(), Metadata: map[string]string{"error_type": fmt.Sprintf("%T", err)},
	}
	var failure *Failure
	if errors.As(err, &failure) {
		message.Message, message.Retryable = failure.Message, failure.Retryable
		if len(failure.Metadata) > 0 {
			message.Metadata = failure.Metadata
		}
		if failure.Reason != "" {
			message.Reason = failure.Reason
		}
	}
	var passing retryable
	if errors.As(err, &passing) {
		message.Retryable = true
		message.Metadata["error_type"] = fmt.Sprintf("%T", passing.error)
	}
	return message
}

func handback(reason string) *evalrpcv1.TaskReport {
	return &evalrpcv1.TaskReport{Outcome: &evalrpcv1.TaskReport_Handback{Handback: &evalrpcv1.Handback{Reason: reason}}}
}

func experimentInfo(message *evalrpcv1.ExperimentInfo) ExperimentInfo {
	return ExperimentInfo{message.GetId(), message.GetName(), message.GetRunName()}
}

func taskItem(message *evalrpcv1.RunTaskRequest, attempt int) TaskItem {
	return TaskItem{
		ID:             message.GetItemId(),
		Input:          jsonFromMessage(message.GetInput()),
		ExpectedOutput: jsonFromMessage(message.GetExpectedOutput()),
		Metadata:       jsonFromMessage(message.GetMetadata()),
		Trial:          int(message.GetTrial()),
		Attempt:        attempt,
		Experiment:     experimentInfo(message.GetExperiment()),
	}
}

func evaluatorInput(message *evalrpcv1.EvaluateItemRequest) EvaluatorInput {
	return EvaluatorInput{
		ItemID:         message.GetItemId(),
		Input:          jsonFromMessage(message.GetInput()),
		Output:         jsonFromMessage(message.GetOutput()),
		ExpectedOutput: jsonFromMessage(message.GetExpectedOutput()),
		Metadata:       jsonFromMessage(message.GetMetadata()),
		Contexts:       contextsFromMessages(message.GetContexts()),
		Trial:          int(message.GetTrial()),
		Evaluations:    evaluationsFromMessages(message.GetEvaluations()),
		TaskDuration:   message.GetTaskDuration().AsDuration(),
		Usage:          usageFromMessage(message.GetUsage()),
		Experiment:     experimentInfo(message.GetExperiment()),
	}
}

func evaluationMessage(evaluation Evaluation) *evalrpcv1.Evaluation {
	message := &evalrpcv1.Evaluation{
		Name:     evaluation.Name,
		Comment:  evaluation.Comment,
		Metadata: evaluation.Metadata.toMessage(),
		ConfigId: evaluation.ConfigID,
		Usage:    usageMessage(evaluation.Usage),
	}
	switch value := evaluation.Value.(type) {
	case Number:
		message.Value = &evalrpcv1.Evaluation_Number{Number: float64(value)}
	case Boolean:
		message.Value = &evalrpcv1.Evaluation_Boolean{Boolean: bool(value)}
	case Label:
		message.Value = &evalrpcv1.Evaluation_Label{Label: string(value)}
	case Unscored:
		message.Value = &evalrpcv1.Evaluation_Unscored{Unscored: &evalrpcv1.Unscored{Reason: string(value)}}
	case *Failure:
		message.Value = &evalrpcv1.Evaluation_Error{Error: failureMessage("EVALUATOR_FAILED", value)}
	}
	return message
}
