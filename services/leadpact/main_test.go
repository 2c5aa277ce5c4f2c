package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/leadpact/leadpact/internal/agreement"
	"github.com/leadpact/leadpact/services/leadpact/app/apptest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"leadpact": main})
}

// TestScript runs the program as people do. In each folder lie a good agreement and its roster.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("WEBSITE", "a secret for env:WEBSITE")
			e.Setenv("CRM", "a secret for env:CRM")
			e.Setenv("NEXT_MONTH", time.Now().UTC().AddDate(0, 1, 0).Format(time.RFC3339))
			e.Setenv("MOVING", "test-2\nunder_way: move") // as a version's name
			mended := strings.Replace(string(apptest.Agreement), "    history: true\n", "    history: true\n    map: {email: contact.mail}\n", 1)
			for name, text := range map[string][]byte{"agreement.yaml": apptest.Agreement, "mended.yaml": []byte(mended), "roster.yaml": apptest.Roster} {
				if err := os.WriteFile(filepath.Join(e.WorkDir, name), text, 0o600); err != nil {
					return err
				}
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "door": door, "exits": exits, "keyed": keyed, "posts": posts, "private": mode(0o600), "public": mode(0o644), "reported": reported, "samestate": sameState, "waiting": waiting,
		},
	})
}

// exits runs a program and demands its exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGUMENT ...]")
	}
	code := 0
	var ended *exec.ExitError
	switch err := ts.Exec(args[1], args[2:]...); {
	case errors.As(err, &ended):
		code = ended.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, not %s", code, args[0])
	}
}

// door waits until a process on the folder data takes webhooks, and sets DOOR to their address, and LEADPACT_GRPC.
func door(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: door")
	}
	await(ts, false, []string{"data/addresses.json", "http"})
	var a addresses
	if err := json.Unmarshal([]byte(ts.ReadFile("data/addresses.json")), &a); err != nil {
		ts.Fatalf("%v", err)
	}
	ts.Setenv("DOOR", a.HTTP)
	ts.Setenv("LEADPACT_GRPC", a.GRPC)
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		resp, err := http.Get("http://" + a.HTTP + "/readyz") // a script has no context
		if err != nil {
			ts.Fatalf("%v", err)
		}
		_ = resp.Body.Close() // the code says it all
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	ts.Fatalf("%s does not become ready", a.HTTP)
}

// posts sends a file to the door as a source whose proof is a bearer token, and demands a status.
func posts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: posts STATUS SOURCE FILE")
	}
	req, err := http.NewRequest(http.MethodPost, "http://"+ts.Getenv("DOOR")+"/v1/hooks/"+args[1], strings.NewReader(ts.ReadFile(args[2]))) // a script has no context
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+ts.Getenv(strings.ToUpper(args[1])))
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	ts.Check(err)
	_ = resp.Body.Close() // the code says it all
	if strconv.Itoa(resp.StatusCode) != args[0] {
		ts.Fatalf("answered %s, not %s", resp.Status, args[0])
	}
}

// waiting waits until so many rows are in quarantine, and sets KEY1, KEY2 … to their keys.
func waiting(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waiting NUMBER")
	}
	var rows []struct {
		Key string `json:"key"`
	}
	for until := time.Now().Add(time.Minute); strconv.Itoa(len(rows)) != args[0]; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(until) {
			ts.Fatalf("%d rows wait, not %s", len(rows), args[0])
		}
		ts.Check(ts.Exec("leadpact", "quarantine", "list", "--json", "--token", "file:data/admin.token"))
		ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &rows))
	}
	for i, row := range rows {
		ts.Setenv(fmt.Sprintf("KEY%d", i+1), row.Key)
	}
}

// keyed writes agreement.yaml as another version, with the keys that keygen printed into files, and the hash of the version before.
func keyed(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 || len(args) > 5 {
		ts.Fatalf("usage: keyed FILE VERSION MARKETING SALES [BEFORE]")
	}
	parties := fmt.Sprintf("parties: {marketing: {name: marketing, key: %q}, sales: {name: sales, key: %q}}",
		strings.TrimSpace(ts.ReadFile(args[2])), strings.TrimSpace(ts.ReadFile(args[3])))
	text := strings.NewReplacer("parties: {marketing: Marketing, sales: Sales}", parties, "version: test-1", "version: "+args[1]).Replace(ts.ReadFile("agreement.yaml"))
	if len(args) == 5 {
		before, faults := agreement.Parse(args[4], []byte(ts.ReadFile(args[4])))
		if len(faults) > 0 {
			ts.Fatalf("%v", faults)
		}
		text = fmt.Sprintf("follows: %q\n", before.Hash) + text
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// mode demands that a file can be read by those who shall: private by its owner alone, public by everybody.
func mode(want os.FileMode) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) != 1 {
			ts.Fatalf("usage: private|public FILE")
		}
		info, err := os.Stat(ts.MkAbs(args[0]))
		ts.Check(err)
		if info.Mode().Perm() != want {
			ts.Fatalf("%s has the mode %v, not %v", args[0], info.Mode(), want)
		}
	}
}

// reported runs a program until it prints a text: what one service tells another is on its way for a moment.
func reported(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: reported TEXT PROGRAM [ARGUMENT ...]")
	}
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...) // what it prints says how it ended
		if strings.Contains(ts.ReadFile("stdout"), args[0]) {
			return
		}
	}
	ts.Fatalf("%q is not reported", args[0])
}

// sameState compares the state hashes that two runs of verify printed.
func sameState(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: samestate ONE OTHER")
	}
	var hashes []string
	for _, file := range args {
		_, hash, found := strings.Cut(ts.ReadFile(file), "\nstate ")
		if !found {
			ts.Fatalf("%s holds no state hash", file)
		}
		hashes = append(hashes, hash)
	}
	if hashes[0] != hashes[1] {
		ts.Fatalf("the states differ: %q", hashes)
	}
}

// await waits until a file exists and holds a text.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await FILE TEXT")
	}
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		if text, err := os.ReadFile(ts.MkAbs(args[0])); err == nil && strings.Contains(string(text), args[1]) {
			return
		}
	}
	ts.Fatalf("%s does not come to hold %q", args[0], args[1])
}

// TestTellWhere: a person at a terminal is told where the administrator's token is, and never the token.
func TestTellWhere(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, apptest.Config(t, t.TempDir()))
	token, err := os.ReadFile(s.AdminToken())
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	tellWhere(&out, s.App)
	for _, want := range []string{"http://" + s.HTTPAddr() + "/v1/hooks/", "http://" + s.HTTPAddr() + "/metrics", s.GRPCAddr(), s.AdminToken() + " holds the administrator's"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not told:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), strings.TrimSpace(string(token))) {
		t.Error("the token itself is told")
	}
	if err := os.Remove(s.AdminToken()); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if tellWhere(&out, s.App); strings.Contains(out.String(), "token") {
		t.Errorf("a token is told that is not there:\n%s", out.String())
	}
}

// What a stranger sent may hold anything; a terminal shows it and obeys nothing of it.
func TestClean(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"a\tb\nü 😀":               "a\tb\nü 😀",
		"\x1b[31mred":             `\x1b[31mred`,
		"\xff\xff\xff\x01":        `\xff\xff\xff\x01`,
		"{\"email\": \"l\xe9a\"}": `{"email": "l\xe9a"}`,
		"\u0085\ufffd":            "\\xc285\ufffd",
	} {
		if got := clean(given); got != want {
			t.Errorf("%q is shown as %q, want %q", given, got, want)
		}
	}
}
