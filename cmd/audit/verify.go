package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/report"
	"sagemaker-role-audit/internal/output"
)

func newVerify(a *app) *cobra.Command {
	var (
		f    = newExplainFlags("table")
		gate verifyGate
		role string
		edit policyFiles
	)
	cmd := &cobra.Command{
		Use:   "verify --policy FILE --role ROLE",
		Short: "Replay the evidence against edited policies: a gate for pull requests",
		Long: `verify takes policy documents that would stand in the place of a role's identity
policies, and replays against them every use and need that the role is granted
today: each call on record, and what each job's own configuration asks for. It
names what they would break, where they widen today's grant, and what they grant
beyond need. Boundary, service control and resource policies stay as they are.

It exits 3 if they break or widen something, or if of something that cannot be
told, and 4 if the evidence is not complete. It asks a saved snapshot (--from),
the sample account (--demo), or the account of your AWS credentials.`,
		Example: `  audit verify --from audit.snapshot.gz --role trainer --policy trainer.json
  terraform show -json plan | jq ... | audit verify --role trainer --policy -
  audit verify --demo --role churn-training --policy churn.json -o json`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case role == "":
				return usagef("--role is missing: the role that the policies are for")
			case len(edit) == 0:
				return usagef("--policy is missing: a policy document, or - for the standard input")
			}
			return a.verify(cmd, &f, &gate, role, edit)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&role, "role", "", "name, ARN or glob of the role; or its id")
	edit.register(cmd, "a policy `file`, - for the standard input; repeatable: together they are the role's\nidentity policies after the change")
	flags.BoolVar(&gate.allowUnsure, "allow-unsure", false, "exit 0 although of something it cannot be told, such as what a new condition does")
	flags.BoolVar(&gate.failOnExcess, "fail-on-excess", false, "exit 3 for what is granted beyond need as well")
	flags.BoolVar(&gate.allowIncomplete, "allow-incomplete", false, "exit 0 although some of the evidence could not be read")
	f.register(cmd, "docs/verify.md")
	return cmd
}

// verifyGate says what is a no.
type verifyGate struct{ allowUnsure, failOnExcess, allowIncomplete bool }

// judge errs with a verdict if the verification is no yes.
func (g verifyGate) judge(r *report.Verification) error {
	v := &verdict{incomplete: !r.Complete && !g.allowIncomplete}
	var why []string
	switch {
	case r.Answer == report.VerifyFails, r.Answer == report.VerifyUnsure && !g.allowUnsure:
		why = append(why, r.Why)
		if r.Answer == report.VerifyUnsure {
			why[0] += " (--allow-unsure accepts that)"
		}
	}
	if n := r.Excess.GrantsTotal; n > 0 && g.failOnExcess {
		why = append(why, fmt.Sprintf("grants beyond need: %d (--fail-on-excess)", n))
	}
	if v.no = strings.Join(why, "; "); v.no == "" && !v.incomplete {
		return nil
	}
	return v
}

func (a *app) verify(cmd *cobra.Command, f *explainFlags, gate *verifyGate, role string, edit policyFiles) error {
	if err := f.check(a, cmd); err != nil {
		return err
	}
	policies, err := edit.read(a.stdin)
	if err != nil {
		return err
	}
	given, err := f.layers.read()
	if err != nil {
		return err
	}
	s, err := a.asked(cmd.Context(), f, role)
	if err != nil {
		return err
	}
	v, err := analyze.Verify(s, analyze.Options{Version: version, Given: given}, role, policies)
	if err := cmp.Or(ofFlag(err), cmd.Context().Err()); err != nil {
		return err
	}
	if err := a.print(cmd.Context(), f, func(w io.Writer, format output.Format, look output.Options) error {
		return output.WriteVerification(w, format, v, look)
	}); err != nil {
		return err
	}
	return gate.judge(v)
}

// ofFlag makes an error of a question one of the flag that asked it.
func ofFlag(err error) error {
	if bad := (*analyze.QuestionError)(nil); errors.As(err, &bad) {
		return usagef("--%s: %w", bad.Part, err)
	}
	return err
}

// policyFiles collects --policy.
type policyFiles []string

func (p *policyFiles) register(cmd *cobra.Command, usage string) { cmd.Flags().Var(p, "policy", usage) }

func (p *policyFiles) Set(text string) error {
	if text == "" {
		return errors.New("no file")
	}
	for _, have := range *p {
		if have == text {
			return errors.New("given twice")
		}
	}
	*p = append(*p, text)
	return nil
}

func (p *policyFiles) String() string { return strings.Join(*p, " ") }
func (*policyFiles) Type() string     { return "file" }

// read reads the documents. Whatever is wrong with one of them is a usage error that
// names its file.
func (p policyFiles) read(stdin io.Reader) ([]analyze.EditedPolicy, error) {
	var out []analyze.EditedPolicy
	for _, path := range p {
		text, name, err := readInput(path, stdin)
		if err != nil {
			return nil, usagef("--policy %w", err)
		}
		e, err := analyze.ParseEdited(name, text)
		if err != nil {
			return nil, usagef("--policy %s: %w", path, err)
		}
		out = append(out, e)
	}
	return out, nil
}

// maxInput bounds what is read of a file that a person wrote.
const maxInput = 1 << 20

// readInput reads a file, or the standard input for -, with its name as a document
// shows it.
func readInput(path string, stdin io.Reader) (text []byte, name string, err error) {
	in, name := stdin, "standard input"
	if path != stdinPath {
		f, err := os.Open(path)
		if err != nil {
			return nil, "", bare(err)
		}
		defer f.Close()
		in, name = f, filepath.Base(path)
	}
	text, err = io.ReadAll(io.LimitReader(in, maxInput+1))
	if err == nil && len(text) > maxInput {
		err = errors.New("is larger than 1 MiB")
	}
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", path, bare(err))
	}
	return text, name, nil
}

// stdinPath stands for the standard input among paths.
const stdinPath = "-"
