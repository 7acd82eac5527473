package evalrpc

import "github.com/evalrpc/evalrpc/clients/go/evalrpcv1"

// Task is the application under test: a [TaskFunc], an [HTTPTask], a [GRPCTask], a [WorkerTask], or a [TaskSpec].
type Task interface{ isTask() }

// HTTPTask is an HTTP endpoint that the server calls once for each trial: POST of {"input", "metadata", "item_id",
// "trial", "experiment"}, answered by the output or by {"output", "contexts", "usage", "metadata"}. An endpoint of
// another shape is adapted to by a [TaskSpec].
type HTTPTask struct {
	// URL, http:// or https://.
	URL string
	// Headers of every call; values may hold secrets of the server by reference, ${secret:NAME}.
	Headers map[string]string
	// IncludeExpectedOutput lets the task see the expected output.
	IncludeExpectedOutput bool
}

// GRPCTask is a gRPC endpoint that implements evalrpc.v1.TaskService.
type GRPCTask struct {
	// Target as host:port.
	Target string
	// TLS encrypts the connection.
	TLS bool
	// Metadata of every call; values may hold secrets of the server by reference, ${secret:NAME}.
	Metadata map[string]string
	// IncludeExpectedOutput lets the task see the expected output.
	IncludeExpectedOutput bool
}

// WorkerTask is a task function that a connected [Worker] hosts.
type WorkerTask struct {
	// Function's name.
	Function string
	// IncludeExpectedOutput lets the function see the expected output.
	IncludeExpectedOutput bool
}

// TaskSpec is any task of the contract.
type TaskSpec struct {
	// Task as the contract has it.
	*evalrpcv1.Task
}

func (TaskFunc) isTask()   {}
func (HTTPTask) isTask()   {}
func (GRPCTask) isTask()   {}
func (WorkerTask) isTask() {}
func (TaskSpec) isTask()   {}

// taskMessage returns a task as the contract's message; host takes in a function and returns its name.
func taskMessage(task Task, host func(Function) string) *evalrpcv1.Task {
	switch task := task.(type) {
	case TaskFunc:
		// As with a local task in the Langfuse SDKs, the function sees the whole item.
		return taskMessage(WorkerTask{host(Function{Name: "task", Task: task}), true}, host)
	case HTTPTask:
		return &evalrpcv1.Task{Kind: &evalrpcv1.Task_Http{Http: &evalrpcv1.HttpTask{
			Url: task.URL, Headers: task.Headers, IncludeExpectedOutput: task.IncludeExpectedOutput,
		}}}
	case GRPCTask:
		return &evalrpcv1.Task{Kind: &evalrpcv1.Task_Grpc{Grpc: &evalrpcv1.GrpcTask{
			Target: task.Target, Tls: task.TLS, Metadata: task.Metadata,
			IncludeExpectedOutput: task.IncludeExpectedOutput,
		}}}
	case WorkerTask:
		return &evalrpcv1.Task{Kind: &evalrpcv1.Task_Worker{Worker: &evalrpcv1.WorkerTask{
			Function: task.Function, IncludeExpectedOutput: task.IncludeExpectedOutput,
		}}}
	case TaskSpec:
		return task.Task
	}
	return nil
}
