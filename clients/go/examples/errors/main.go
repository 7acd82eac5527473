// Command errors shows what goes wrong with calls, and how to tell.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/evalrpc/evalrpc/clients/go"
)

func main() {
	client, err := evalrpc.NewClient("")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()

	_, err = client.Start(ctx, evalrpc.RunOptions{Task: evalrpc.HTTPTask{URL: "ftp://example.org"}})
	var failure *evalrpc.Error
	if errors.As(err, &failure) {
		for _, violation := range failure.Violations {
			fmt.Println(violation.Path, violation.Description)
		}
	}

	_, err = client.Get(ctx, "exp_none")
	if errors.Is(err, evalrpc.ErrNotFound) && errors.As(err, &failure) {
		fmt.Println(failure.Reason, failure.Metadata)
	}

	nowhere, err := evalrpc.NewClient("localhost:1")
	if err != nil {
		log.Fatal(err)
	}
	if _, err := nowhere.Get(ctx, "exp_none"); errors.Is(err, evalrpc.ErrUnreachable) {
		fmt.Println(err)
	}
}
