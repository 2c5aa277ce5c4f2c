// Package river is a peer: leadpact's job as a Go team would build it on River, the job queue on PostgreSQL.
package river
