package command

import (
	"strings"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/jobstore/jobstore"
)

// A setFlag is the value of a flag that names a set of kinds or statuses. Commas,
// spaces and line ends separate its words, so that the lines of a variable are as
// good as a list; every word must be one of the API's. A flag that is given again
// adds to the set.
type setFlag[T jobstore.Kind | jobstore.Status] struct {
	set   T
	parse func(string) (T, error)
}

func (f *setFlag[T]) String() string { return "" }

func (f *setFlag[T]) Type() string { return "set" }

func (f *setFlag[T]) Set(text string) error {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
		member, err := f.parse(word)
		if err != nil {
			return err
		}
		f.set |= member
	}
	return nil
}

// A filterFlags are the flags --kind and --status.
type filterFlags struct {
	kinds    setFlag[jobstore.Kind]
	statuses setFlag[jobstore.Status]
}

func (f *filterFlags) add(cmd *cobra.Command, statusDefault string) {
	f.kinds.parse, f.statuses.parse = jobstore.ParseKind, jobstore.ParseStatus
	flags := cmd.Flags()
	flags.Var(&f.kinds, "kind", "only jobs of these `kinds`: "+words(kinds))
	flags.Var(&f.statuses, "status", "only jobs in these `statuses`: "+words(statuses)+statusDefault)
	completeSet(cmd, "kind", kinds)
	completeSet(cmd, "status", statuses)
}
