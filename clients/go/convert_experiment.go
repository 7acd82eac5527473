package evalrpc

import (
	"strings"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

const statePrefix = "EXPERIMENT_STATE_"

// stateFromMessage returns StateUnspecified for a state that this version does not know.
func stateFromMessage(state evalrpcv1.ExperimentState) ExperimentState {
	if name, known := evalrpcv1.ExperimentState_name[int32(state)]; known {
		return ExperimentState(strings.TrimPrefix(name, statePrefix))
	}
	return StateUnspecified
}

func progressFromMessage(message *evalrpcv1.Progress) Progress {
	if message == nil {
		return Progress{}
	}
	return Progress{
		Total:     intOf(message.Total),
		Completed: int(message.GetCompleted()),
		Failed:    int(message.GetFailed()),
		Retried:   int(message.GetRetried()),
		InFlight:  int(message.GetInFlight()),
	}
}

func experimentFromMessage(message *evalrpcv1.Experiment) *Experiment {
	spec := message.GetSpec()
	experiment := &Experiment{
		ID:                 message.GetId(),
		Name:               spec.GetName(),
		RunName:            spec.GetRunName(),
		Description:        spec.GetDescription(),
		Metadata:           spec.GetMetadata().AsMap(),
		State:              stateFromMessage(message.GetState()),
		Progress:           progressFromMessage(message.GetProgress()),
		RunEvaluations:     evaluationsFromMessages(message.GetRunEvaluations()),
		Langfuse:           langfuseFromMessage(message.GetLangfuse()),
		LastSequence:       int(message.GetLastSequence()),
		CreateTime:         timeOf(message.GetCreateTime()),
		StartTime:          timeOf(message.GetStartTime()),
		EndTime:            timeOf(message.GetEndTime()),
		Failure:            failureFromMessage(message.GetError()),
		Waiting:            failureFromMessage(message.GetWaiting()),
		TaskSpending:       spendingFromMessage(message.GetTaskSpending()),
		EvaluationSpending: spendingFromMessage(message.GetEvaluationSpending()),
		Origin:             originFromMessage(message.GetOrigin()),
		RequestID:          message.GetRequestId(),
		Spec:               spec,
	}
	for _, evaluator := range spec.GetEvaluators() {
		experiment.Evaluators = append(experiment.Evaluators, evaluatorName(evaluator))
	}
	if composite := spec.GetCompositeEvaluator(); composite != nil {
		experiment.Evaluators = append(experiment.Evaluators, evaluatorName(composite))
	}
	for _, summary := range message.GetSummaries() {
		experiment.Summaries = append(experiment.Summaries, summaryFromMessage(summary))
	}
	for _, gate := range message.GetGates() {
		experiment.Gates = append(experiment.Gates, gateResultFromMessage(gate))
	}
	for _, limit := range message.GetEndpointLimits() {
		experiment.EndpointLimits = append(experiment.EndpointLimits, EndpointLimit{
			Endpoint:    limit.GetEndpoint(),
			Rate:        limit.GetRate(),
			InFlight:    int(limit.GetInFlight()),
			PausedUntil: timeOf(limit.GetPausedUntil()),
		})
	}
	return experiment
}

func gateResultFromMessage(message *evalrpcv1.GateResult) GateResult {
	result := GateResult{
		Name:    message.GetName(),
		Passed:  message.GetPassed(),
		Message: message.GetMessage(),
		Value:   message.Value,
	}
	if message.GetVerdict() != evalrpcv1.Verdict_VERDICT_UNSPECIFIED {
		result.Verdict = verdictFromMessage(message.GetVerdict())
	}
	return result
}

func summaryFromMessage(message *evalrpcv1.EvaluationSummary) EvaluationSummary {
	summary := EvaluationSummary{
		Name:              message.GetName(),
		N:                 int(message.GetN()),
		Unscored:          int(message.GetUnscored()),
		Errors:            int(message.GetErrors()),
		Mean:              message.Mean,
		StandardError:     message.StandardError,
		StandardDeviation: message.StandardDeviation,
		Min:               message.Min,
		Max:               message.Max,
		Clusters:          int(message.GetClusters()),
		Quantiles:         make(map[float64]float64, len(message.GetQuantiles())),
		Labels:            make(map[string]int, len(message.GetLabels())),
	}
	if interval := message.GetInterval(); interval != nil {
		summary.Interval = &Interval{interval.GetLow(), interval.GetHigh(), interval.GetConfidence()}
	}
	for _, quantile := range message.GetQuantiles() {
		summary.Quantiles[quantile.GetProbability()] = quantile.GetValue()
	}
	for label, count := range message.GetLabels() {
		summary.Labels[label] = int(count)
	}
	return summary
}

func langfuseFromMessage(message *evalrpcv1.LangfuseStatus) *LangfuseStatus {
	if message == nil {
		return nil
	}
	return &LangfuseStatus{
		Project:       message.GetProject(),
		ExperimentID:  message.GetExperimentId(),
		DatasetRunID:  message.GetDatasetRunId(),
		URL:           message.GetUrl(),
		Queued:        int(message.GetQueued()),
		Accepted:      int(message.GetAccepted()),
		Rejected:      int(message.GetRejected()),
		Verified:      intOf(message.Verified),
		LastError:     failureFromMessage(message.GetLastError()),
		LastErrorTime: timeOf(message.GetLastErrorTime()),
	}
}

func originFromMessage(message *evalrpcv1.Origin) *Origin {
	if message == nil {
		return nil
	}
	return &Origin{message.GetExperimentId(), strings.TrimPrefix(message.GetKind().String(), "ORIGIN_KIND_")}
}

func spendingFromMessage(message *evalrpcv1.Spending) *Spending {
	if message == nil {
		return nil
	}
	return &Spending{
		InputTokens:  message.GetInputTokens(),
		OutputTokens: message.GetOutputTokens(),
		CostUSD:      message.GetCostUsd(),
		Unknown:      int(message.GetUnknown()),
	}
}
