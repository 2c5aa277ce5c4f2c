package main

import (
	"context"
	"fmt"

	"github.com/leadpact/leadpact/internal/identity"
	"github.com/leadpact/leadpact/services/leadpact/app"
)

type tokenCommand struct {
	Person string        `required:"" help:"Who it is for; a rep's id as the roster has it."`
	Role   identity.Role `help:"rep, manager or admin." enum:"rep,manager,admin" default:"rep"`
	Tokens string        `required:"" help:"Token file that it is added to; made when missing." env:"LEADPACT_TOKENS"`
}

// Run prints the token, once. Running processes read the file at their start.
func (c *tokenCommand) Run() error {
	t, err := identity.Load(c.Tokens)
	if err != nil {
		return err
	}
	token, err := t.Issue(identity.Person{ID: c.Person, Role: c.Role})
	if err != nil {
		return err
	}
	if err := t.Save(c.Tokens); err != nil {
		return err
	}
	fmt.Println(token)
	return nil
}

type migrateCommand struct {
	Database string `required:"" help:"PostgreSQL: postgres://user:password@host:port/database." env:"LEADPACT_DATABASE"`
}

// Run migrates every schema.
func (c *migrateCommand) Run(ctx context.Context) error {
	for _, role := range []string{"scoring", "handoff", "compliance"} {
		s, err := app.OpenStores(ctx, "", c.Database, []string{role}, app.Migrate)
		if err != nil {
			return err
		}
		if err := s.Close(); err != nil {
			return err
		}
		fmt.Printf("%s: at this program's schema\n", role)
	}
	return nil
}
