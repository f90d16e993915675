package faults

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"
)

var seedFlag = flag.Uint64("seed", 0, "seed of what is random; 0 takes one from the clock")

// childVar names the part that this test binary plays when it is started as a
// child: one of children.
const childVar = "JOBSTORE_FAULTS_CHILD"

// children are the parts. Each gets its arguments from the command line, talks
// to its parent on the standard output, and says on the standard error why it
// could not go on.
var children = map[string]func(args []string) error{
	"damage":   damageChild,
	"history":  historyChild,
	"limit":    limitChild,
	"limits":   limitsChild,
	"sparse":   sparseChild,
	"workload": workloadChild,
}

func TestMain(m *testing.M) {
	if part := os.Getenv(childVar); part != "" {
		if err := children[part](os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// child returns a command that starts this binary in one of its parts.
func child(part string, args ...string) *exec.Cmd {
	return childContext(context.Background(), part, args...)
}

// childContext is child for one that is killed when ctx ends.
func childContext(ctx context.Context, part string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVar+"="+part)
	return cmd
}

// seeded returns the seed of this run, which it prints.
func seeded(t *testing.T) uint64 {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d: repeat with -seed=%d", seed, seed)
	return seed
}

func newRand(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }
