package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// production is two processes of each role over three NATS servers and PostgreSQL.
type production struct {
	o       options
	servers []*process
	roles   []*process
	http    []string
}

func (p *production) start(ctx context.Context) (doors, error) {
	var err error
	if p.o.binary, err = filepath.Abs(p.o.binary); err != nil {
		return doors{}, err
	}
	if p.o.nats, err = filepath.Abs(p.o.nats); err != nil {
		return doors{}, err
	}
	urls, monitors, err := p.cluster(ctx)
	if err != nil {
		return doors{}, err
	}
	if _, err := command(ctx, p.o, "migrate", "--database", p.o.database); err != nil {
		return doors{}, fmt.Errorf("migrate: %w", err)
	}
	tokens, err := issue(ctx, p.o, "tokens.json")
	if err != nil {
		return doors{}, err
	}
	admin, err := command(ctx, p.o, "token", "--person", "chaos", "--role", "admin", "--tokens", "tokens.json")
	if err != nil {
		return doors{}, err
	}
	if err := os.WriteFile(filepath.Join(p.o.dir, "admin.token"), []byte(admin), 0o600); err != nil {
		return doors{}, err
	}
	d := doors{tokens: tokens}
	var compliance string
	for _, role := range []string{"compliance", "handoff", "scoring", "ingest"} {
		for replica := range 2 {
			addrs, err := free(2)
			if err != nil {
				return doors{}, err
			}
			one := &process{name: fmt.Sprintf("%s-%d", role, replica+1), dir: p.o.dir, path: p.o.binary, ready: "http://" + addrs[0] + "/readyz", args: []string{
				"serve", "--role", role, "--roster", "roster.yaml", "--http", addrs[0], "--grpc", addrs[1], "--nats", urls,
				"--nats-monitor", monitors, "--database", p.o.database, "--lead-key", "env:CHAOS_LEAD_KEY", "--tokens", "tokens.json", "--partitions", "4",
			}}
			if err := one.start(); err != nil {
				return doors{}, err
			}
			p.roles = append(p.roles, one)
			switch role {
			case "ingest":
				d.hooks = append(d.hooks, addrs[0])
			case "handoff":
				d.handoff = append(d.handoff, addrs[1])
				p.http = append(p.http, addrs[0])
			case "compliance":
				compliance = addrs[1]
				p.http = append(p.http, addrs[0])
			default:
				p.http = append(p.http, addrs[0])
			}
		}
	}
	for _, one := range p.roles[:6] {
		if err := one.await(ctx, 60*time.Second); err != nil {
			return doors{}, err
		}
	}
	if err := sign(ctx, p.o); err != nil {
		return doors{}, err
	}
	if _, err := command(ctx, p.o, "activate", "agreement.yaml", "--grpc", compliance, "--token", "file:admin.token"); err != nil {
		return doors{}, fmt.Errorf("activate: %w", err)
	}
	for _, one := range p.roles {
		if err := one.await(ctx, 60*time.Second); err != nil {
			return doors{}, err
		}
	}
	return d, nil
}

// cluster starts three NATS servers, each with its own folder, none on a usual port.
func (p *production) cluster(ctx context.Context) (urls, monitors string, err error) {
	addrs, err := free(9)
	if err != nil {
		return "", "", err
	}
	var routes, clients, watched []string
	for i := range 3 {
		clients = append(clients, "nats://"+addrs[3*i])
		watched = append(watched, "http://"+addrs[3*i+1])
		routes = append(routes, "nats://"+addrs[3*i+2])
	}
	for i := range 3 {
		name := fmt.Sprintf("nats-%d", i+1)
		conf := fmt.Sprintf("server_name: %s\nlisten: %q\nhttp: %q\njetstream { store_dir: %q, sync_interval: always }\ncluster { name: chaos, listen: %q, routes: [%s] }\n",
			name, addrs[3*i], addrs[3*i+1], filepath.Join(p.o.dir, name), addrs[3*i+2], `"`+strings.Join(routes, `", "`)+`"`)
		file := filepath.Join(p.o.dir, name+".conf")
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			return "", "", err
		}
		one := &process{name: name, dir: p.o.dir, path: p.o.nats, args: []string{"-c", file}, ready: watched[i] + "/healthz"}
		if err := one.start(); err != nil {
			return "", "", err
		}
		p.servers = append(p.servers, one)
	}
	for _, one := range p.servers {
		if err := one.await(ctx, 30*time.Second); err != nil {
			return "", "", err
		}
	}
	return strings.Join(clients, ","), strings.Join(watched, ","), nil
}

func (p *production) kill(ctx context.Context, rng *rand.Rand) (string, time.Duration, error) {
	one := p.roles[rng.IntN(len(p.roles))]
	one.end(syscall.SIGKILL)
	// Long enough, now and then, for the other replica to take over.
	wait(ctx, time.Duration(rng.IntN(6000))*time.Millisecond)
	began := time.Now()
	if err := one.start(); err != nil {
		return one.name, 0, err
	}
	err := one.await(ctx, 60*time.Second)
	return one.name, time.Since(began), err
}

func (p *production) verify(ctx context.Context, accepted string) error {
	args := []string{"verify", "--database", p.o.database, "--accepted", accepted, "--patience", "90s"}
	for _, door := range p.http {
		args = append(args, "--http", door)
	}
	out, err := command(ctx, p.o, args...)
	fmt.Println(out)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return nil
}

// sum adds up one series over all processes.
func (p *production) sum(ctx context.Context, series string) (float64, error) {
	total := 0.0
	client := http.Client{Timeout: 10 * time.Second}
	for _, door := range p.http {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+door+"/metrics", nil)
		if err != nil {
			return 0, err
		}
		resp, err := client.Do(req)
		if err != nil {
			return 0, fmt.Errorf("read the metrics of %s: %w", door, err)
		}
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			if rest, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
				v, err := strconv.ParseFloat(rest, 64)
				if err != nil {
					return 0, fmt.Errorf("%s of %s: %w", series, door, err)
				}
				total += v
			}
		}
		if err := errors.Join(lines.Err(), resp.Body.Close()); err != nil {
			return 0, err
		}
	}
	return total, nil
}

func (p *production) stop() {
	for _, group := range [][]*process{p.roles, p.servers} {
		for _, one := range group {
			one.end(syscall.SIGTERM)
		}
	}
}
