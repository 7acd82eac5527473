package evalrpc

import (
	"context"
	"fmt"
	"time"

	"github.com/evalrpc/evalrpc/clients/go/evalrpcv1"
)

// JudgeModels returns models that judge, by name, behind https://api.openai.com/v1 with a secret of the server as the key;
// models elsewhere are written out as the contract's JudgeModel.
func JudgeModels(secret string, models ...string) []*evalrpcv1.JudgeModel {
	return mapped(models, func(model string) *evalrpcv1.JudgeModel {
		return &evalrpcv1.JudgeModel{Model: model, ApiKey: "${secret:" + secret + "}"}
	})
}

// Judge returns an evaluator that asks language models.
//
//	evalrpc.Judge("helpful", &evalrpcv1.JudgeEvaluator{
//		Criterion: &evalrpcv1.JudgeEvaluator_Rubric{Rubric: "Does the output help?"},
//		Verdict:   &evalrpcv1.JudgeEvaluator_Boolean{Boolean: &evalrpcv1.JudgeBoolean{}},
//		Models:    evalrpc.JudgeModels("OPENAI_API_KEY", "gpt-4.1-mini"),
//	})
func Judge(name string, judge *evalrpcv1.JudgeEvaluator) Evaluator {
	kind := &evalrpcv1.EvaluatorSpec_Judge{Judge: judge}
	return Evaluator{spec: &evalrpcv1.EvaluatorSpec{Name: name, Kind: kind}}
}

// calibrationTimeout bounds a calibration, for which models are called as often as there are outputs.
const calibrationTimeout = time.Hour

// LabelledOutput is an output with a person's verdict.
type LabelledOutput struct {
	// Item that the output is for.
	Item Item
	// Output that was judged.
	Output any
	// Contexts that the output rests on.
	Contexts []Context
	// Verdict of the person, of the kind that the judge gives: a [Number], a [Boolean] or a [Label].
	Verdict Value
}

// Calibration is how far a judge agrees with people.
type Calibration struct {
	// N is the number of outputs on which the judge gave a verdict.
	N int
	// Unscored outputs.
	Unscored int
	// Errors is the number of outputs on which the judge failed.
	Errors int
	// Accuracy is the share of equal verdicts; nil if there is no verdict.
	Accuracy *float64
	// AccuracyInterval of confidence.
	AccuracyInterval *Interval
	// Kappa is Cohen's kappa, the agreement beyond chance; nil if chance alone would agree always.
	Kappa *float64
	// KappaInterval of confidence.
	KappaInterval *Interval
	// Evaluations of the judge, in the order of the outputs.
	Evaluations []Evaluation
}

// CalibrateJudge measures how far what [Judge] returns agrees with people, over 2 to 1,000 outputs. Numbers are compared as
// positive or not, from positiveFrom on; nil is 0.5. It takes as long as the models do, up to an hour; the context bounds it
// further.
func (c *Client) CalibrateJudge(
	ctx context.Context, judge Evaluator, outputs []LabelledOutput, positiveFrom *float64,
) (*Calibration, error) {
	spec := judge.message().GetJudge()
	if spec == nil {
		return nil, invalid(Violation{"judge", "must be what Judge returns"})
	}
	request := &evalrpcv1.CalibrateJudgeRequest{Judge: spec, PositiveFrom: positiveFrom}
	for i, output := range outputs {
		message, err := output.toMessage(i)
		if err != nil {
			return nil, err
		}
		request.LabelledOutputs = append(request.LabelledOutputs, message)
	}
	response, err := callWithin(ctx, c, calibrationTimeout, c.evaluators.CalibrateJudge, request)
	if err != nil {
		return nil, err
	}
	return &Calibration{
		N:                int(response.GetN()),
		Unscored:         int(response.GetUnscored()),
		Errors:           int(response.GetErrors()),
		Accuracy:         response.Accuracy,
		AccuracyInterval: intervalOf(response.GetAccuracyInterval()),
		Kappa:            response.Kappa,
		KappaInterval:    intervalOf(response.GetKappaInterval()),
		Evaluations:      evaluationsFromMessages(response.GetEvaluations()),
	}, nil
}

func (o LabelledOutput) toMessage(index int) (*evalrpcv1.LabelledOutput, error) {
	item, err := o.Item.toMessage(index)
	if err != nil {
		return nil, err
	}
	path := fmt.Sprintf("outputs[%d]", index)
	text, err := NewJSON(o.Output)
	if err != nil {
		return nil, invalid(Violation{path + ".output", err.Error()})
	}
	message := &evalrpcv1.LabelledOutput{Item: item, Output: text.toMessage(), Contexts: contextMessages(o.Contexts)}
	switch verdict := o.Verdict.(type) {
	case Number:
		message.Verdict = &evalrpcv1.LabelledOutput_Number{Number: float64(verdict)}
	case Boolean:
		message.Verdict = &evalrpcv1.LabelledOutput_Boolean{Boolean: bool(verdict)}
	case Label:
		message.Verdict = &evalrpcv1.LabelledOutput_Label{Label: string(verdict)}
	default:
		return nil, invalid(Violation{path + ".verdict", "must be a Number, a Boolean or a Label"})
	}
	return message, nil
}

func intervalOf(message *evalrpcv1.Interval) *Interval {
	if message == nil {
		return nil
	}
	return &Interval{message.GetLow(), message.GetHigh(), message.GetConfidence()}
}
