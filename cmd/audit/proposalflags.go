package main

import (
	"github.com/spf13/cobra"

	"sagemaker-role-audit/internal/analyze"
	"sagemaker-role-audit/internal/analyze/report"
)

// proposalFlags say what kind of policy is proposed, on every command that proposes.
type proposalFlags struct {
	granularity                                     choice
	strict, addMissing, keepUnobservable, reference bool
}

func (f *proposalFlags) register(cmd *cobra.Command) {
	f.granularity = oneOf("prefix", "bucket")
	flags := cmd.Flags()
	flags.Var(&f.granularity, "granularity", "how far a proposed pattern of S3 objects reaches: as the evidence, or its bucket")
	flags.BoolVar(&f.strict, "strict", false, "propose s3:ListBucket for the prefixes listed and read only, where every list on\nrecord had one")
	flags.BoolVar(&f.addMissing, "add-missing", false, "propose what jobs need and no policy grants as well, by documented rules")
	flags.BoolVar(&f.keepUnobservable, "keep-unobservable", false, "propose what nobody could observe as it is granted today")
	flags.BoolVar(&f.reference, "reference", false, "propose in the reference's form: its Sids, its four areas and actions, nothing else")
	completeChoices(cmd, "granularity", &f.granularity)
}

// check errs on flags that contradict each other.
func (f *proposalFlags) check() error {
	switch {
	case f.reference && f.addMissing:
		return usagef("--reference and --add-missing: the reference's form has no statement for what is missing")
	case f.reference && f.keepUnobservable:
		return usagef("--reference and --keep-unobservable: the reference's form has no statement for what is kept")
	case f.reference && f.strict:
		return usagef("--reference and --strict: the reference's form has no condition on s3:prefix")
	case f.strict && f.granularity.value == "bucket":
		return usagef("--strict and --granularity bucket: one narrows lists to prefixes, the other widens objects to their bucket")
	}
	return nil
}

func (f *proposalFlags) options() analyze.ProposalOptions {
	return analyze.ProposalOptions{ByBucket: f.granularity.value == "bucket", Strict: f.strict, AddMissing: f.addMissing,
		KeepUnobservable: f.keepUnobservable, Reference: f.reference}
}

func (f *proposalFlags) form() report.ProposalForm {
	return report.ProposalForm{Granularity: f.granularity.value, Strict: f.strict, AddMissing: f.addMissing,
		KeepUnobservable: f.keepUnobservable, Reference: f.reference}
}
