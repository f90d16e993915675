package command

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// complete offers values for a flag in the shell, and no file names.
func complete(cmd *cobra.Command, flag string, values ...string) {
	mustRegister(cmd, flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
}

// completeSet offers the members that a comma-separated value lacks.
func completeSet[T interface{ String() string }](cmd *cobra.Command, flag string, members []T) {
	mustRegister(cmd, flag, func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		given, last := "", typed
		if i := strings.LastIndexByte(typed, ','); i >= 0 {
			given, last = typed[:i+1], typed[i+1:]
		}
		var offers []string
		for _, member := range texts(members) {
			if strings.HasPrefix(member, last) && !slices.Contains(strings.Split(given, ","), member) {
				offers = append(offers, given+member)
			}
		}
		return offers, cobra.ShellCompDirectiveNoFileComp
	})
}

// mustRegister panics for a flag that does not exist or is registered twice,
// which no call of the program can bring about.
func mustRegister(cmd *cobra.Command, flag string, fn cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, fn); err != nil {
		panic(err)
	}
}
