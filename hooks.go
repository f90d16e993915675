package jobstore

import (
	"context"
	"log/slog"
	"time"
)

// Hooks are the functions of Options. They belong to whoever opened the store. They
// may panic, or end the goroutine that they run on with runtime.Goexit. So each of
// them runs where that reaches one caller, and a lock that is held meanwhile is given
// back by a deferred call. Now is called when an operation is handed in, and OnCommit
// when it has its outcome, both on the goroutine of the operation's own caller.

// clock returns what Options.Now says. A job with a time that is no job's could be
// neither changed nor imported again, so such a clock is refused.
func (s *Store) clock() (time.Time, error) {
	now := s.options.Now()
	if err := ValidateClock(now); err != nil {
		return time.Time{}, err
	}
	return now, nil
}

// tell tells Options.OnCommit of the commit that it fell to op to report.
func (op *operation) tell(hook func(Commit)) {
	if op.told != nil {
		defer close(op.told)
	}
	hook(*op.report)
}

// say writes to Options.Logger. A logger that panics or ends its goroutine must not
// take the goroutine of the writer with it, and has no message for anybody else.
func (s *Store) say(level slog.Level, message string, args ...any) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { _ = recover() }()
		s.log.Log(context.Background(), level, message, args...)
	}()
	<-done
}
