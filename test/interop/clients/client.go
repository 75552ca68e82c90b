// Command client prints which credentials the default chain of the AWS SDK for Go gives, as often as it is told to.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
)

func main() {
	times, pause := 1, time.Duration(0)
	if len(os.Args) > 2 {
		times, _ = strconv.Atoi(os.Args[1])
		milliseconds, _ := strconv.Atoi(os.Args[2])
		pause = time.Duration(milliseconds) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for n := 0; n < times; n++ {
		if n > 0 {
			time.Sleep(pause)
		}
		credentials, err := cfg.Credentials.Retrieve(ctx)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		json.NewEncoder(os.Stdout).Encode(map[string]string{"key": credentials.AccessKeyID, "token": credentials.SessionToken[max(0, len(credentials.SessionToken)-8):], "region": cfg.Region})
	}
}
