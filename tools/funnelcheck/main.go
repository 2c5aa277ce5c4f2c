// Command funnelcheck compares a funnel that leadpact took in as history with the recorded files themselves: leads and wins by
// channel, as ComplianceService answers them, against counts taken straight from the CSV files.
package main

import (
	"context"
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/leadpact/leadpact/internal/identity"
	leadpactv1 "github.com/leadpact/leadpact/proto/leadpact/v1"
)

func main() {
	leads := flag.String("leads", "", "CSV of leads with the columns mql_id and origin")
	deals := flag.String("deals", "", "CSV of won deals with the column mql_id")
	addr := flag.String("grpc", "127.0.0.1:9090", "address of a compliance process")
	token := flag.String("token-file", "", "file that holds a token")
	flag.Parse()
	if err := run(*leads, *deals, *addr, *token); err != nil {
		fmt.Fprintln(os.Stderr, "funnelcheck:", err)
		os.Exit(1)
	}
}

// count is the leads and wins of one channel.
type count struct{ leads, won int64 }

func run(leads, deals, addr, tokenFile string) error {
	want, err := recorded(leads, deals)
	if err != nil {
		return err
	}
	got, err := reported(addr, tokenFile)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(want))
	for name := range got {
		if _, ok := want[name]; !ok && got[name] != (count{}) {
			names = append(names, name)
		}
	}
	differ := false
	var total count
	fmt.Printf("%-18s %8s %8s %8s %8s\n", "channel", "leads", "reported", "won", "reported")
	for _, n := range names {
		mark := ""
		if want[n] != got[n] {
			mark, differ = "  DIFFERS", true
		}
		total.leads, total.won = total.leads+got[n].leads, total.won+got[n].won
		fmt.Printf("%-18s %8d %8d %8d %8d%s\n", n, want[n].leads, got[n].leads, want[n].won, got[n].won, mark)
	}
	fmt.Printf("%-18s %8s %8d %8s %8d\n", "together", "", total.leads, "", total.won)
	if differ {
		return errors.New("the report and the files differ")
	}
	return nil
}

// recorded counts straight from the files. A lead without an origin is in "none".
func recorded(leads, deals string) (map[string]count, error) {
	rows, err := read(leads)
	if err != nil {
		return nil, err
	}
	origin, out := map[string]string{}, map[string]count{}
	for _, row := range rows {
		name := row["origin"]
		if name == "" {
			name = "none"
		}
		origin[row["mql_id"]] = name
		c := out[name]
		c.leads++
		out[name] = c
	}
	if rows, err = read(deals); err != nil {
		return nil, err
	}
	for _, row := range rows {
		name, ok := origin[row["mql_id"]]
		if !ok {
			return nil, fmt.Errorf("a deal of lead %s, which is in no row of the leads", row["mql_id"])
		}
		c := out[name]
		c.won++
		out[name] = c
	}
	return out, nil
}

func read(path string) ([]map[string]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil || len(records) == 0 {
		return nil, fmt.Errorf("read %s: %w", path, errors.Join(err, errors.New("no header line")))
	}
	var out []map[string]string
	for _, record := range records[1:] {
		row := map[string]string{}
		for i, v := range record {
			row[records[0][i]] = v
		}
		out = append(out, row)
	}
	return out, nil
}

// reported asks leadpact.
func reported(addr, tokenFile string) (map[string]count, error) {
	raw, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, err
	}
	token := identity.Bearer(string(trim(raw)))
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithPerRPCCredentials(token))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	resp, err := leadpactv1.NewComplianceServiceClient(conn).GetAttainment(ctx, &leadpactv1.GetAttainmentRequest{GroupBy: leadpactv1.GroupBy_GROUP_BY_CHANNEL})
	if err != nil {
		return nil, err
	}
	out := map[string]count{}
	for _, d := range resp.GetDeliveries() {
		out[d.GetChannel()] = count{leads: d.GetStages()["lead"], won: d.GetStages()["won"]}
	}
	return out, nil
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == '\n' || b[len(b)-1] == '\r') {
		b = b[:len(b)-1]
	}
	return b
}
