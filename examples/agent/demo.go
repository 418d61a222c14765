package main

import (
	"context"
	"io"
)

func demo(context.Context, []string, io.Writer, io.Writer) error { return nil }
