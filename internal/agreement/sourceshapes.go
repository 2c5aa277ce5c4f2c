package agreement

import "github.com/leadpact/leadpact/internal/preset"

// What a source of the agreement is written with.
var (
	sourceShape = shape{what: "a source", keys: []member{
		may("preset", wordOf(preset.Names()...), "The tool that posts here: how it proves itself and where things stand is known."),
		may("format", wordOf(plainFormats()...), "How bodies are written, of a sender that has no preset."),
		may("secret", listOf(aSecret), "Of the preset's proof."),
		may("verify", one(&verifyShape), "How the source proves itself; with a preset, instead of its own proof."),
		may("accounts", listOf(aText), "The accounts of the tool whose events are taken."),
		may("limit", one(&limitShape), "How much it may post."),
		may("channel", aName, "Of leads whose body names none."),
		may("history", aFlag, "May send events in mode history."),
		may("witness", aFlag, "What it reports of sales' work counts, although it comes late."),
		may("fetch", one(&fetchShape), "How what its bodies leave out is had, where they tell of no more than an id."),
		may("map", one(&mapShape), "Where things stand in the body."),
	}}
	fetchShape = shape{what: "fetch", keys: []member{must("token", aSecret, "env:NAME or file:PATH: what the tool's door is opened with.")}}
	limitShape = shape{what: "limit", keys: []member{
		must("per_second", anAmount, "Requests a second, over time."),
		may("burst", aCount, "How many may come at once; a second's worth unless given."),
	}}
	verifyShape = shape{what: "verify", single: true, keys: []member{
		may(string(preset.HMAC), either(listOf(aSecret), one(&hmacShape)), "A signature of the body."),
		may(string(preset.Bearer), listOf(aSecret), "A token."),
		may(string(preset.Basic), listOf(aSecret), "user:password."),
		may(string(preset.Header), one(&headerProofShape), "The secret in a header."),
		may(string(preset.Query), either(listOf(aSecret), one(&queryProofShape)), "The secret in the address."),
		may(string(preset.Body), one(&bodyProofShape), "The secret in the body."),
		may(string(preset.StandardWebhook), listOf(aSecret), "Standard Webhooks."),
	}}
	aProofSecret = must("secret", listOf(aSecret), "env:NAME or file:PATH; two while one is changed for the other.")
	hmacShape    = shape{what: "hmac", keys: []member{
		aProofSecret,
		may("header", aText, "The header that carries the signature; X-Signature unless given."),
		may("encoding", wordOf("hex", "base64"), "hex unless given."),
		may("prefix", aText, "What stands before the signature."),
		may("algorithm", wordOf("sha256", "sha1"), "sha256 unless given."),
		may("signed", aText, "What is signed: a text with {body}, {method}, {uri}, {time} in it; {body} unless given."),
		may("part", aText, "The signature's name in a header of several parts: t=…,v1=…."),
		may("time", one(&stampShape), "Where the signed time stands."),
	}}
	stampShape = shape{what: "time", keys: []member{
		may("header", aText, "A header of its own."),
		may("part", aText, "Its name in the signature's header."),
		may("millis", aFlag, "It counts milliseconds, not seconds."),
	}}
	headerProofShape = shape{what: "header", keys: []member{aProofSecret, must("header", aText, "The header's name.")}}
	queryProofShape  = shape{what: "query", keys: []member{aProofSecret, may("param", aText, "Its name in the address; key unless given.")}}
	bodyProofShape   = shape{what: "body", keys: []member{aProofSecret, must("path", aPlace, "Where it stands.")}}
	mapShape         = shape{what: "map", keys: []member{
		may("events", listOf(aPath), "Of the events, when a body holds several."),
		may("id", aPlace, ""), may("kind", aPlace, ""), may("occurred_at", aPlace, ""),
		may("email", aPlace, ""), may("external_id", aPlace, ""), may("name", aPlace, ""), may("phone", aPlace, ""), may("channel", aPlace, ""),
		may("fields", namedBy(aPlace), "Values of declared fields."),
		may("outcome", aPlace, "What sales did."),
		may("outcomes", namedBy(wordOf(outcomeKinds()...)), "Which of the sender's words or events are outcomes."),
		may("rep", aPlace, "Of an outcome."), may("reason", aPlace, "Of an outcome."),
		may("mode", aPlace, "history or live."),
		may("confidence", aPlace, "How sure the sender is, 0 to 1."),
		may("consent", namedBy(aPlace), "By purpose: true grants, false withdraws."),
	}}
)

// proofShapes are the proofs that may be written with more than a secret.
func proofShapes() map[preset.ProofKind]*shape {
	return map[preset.ProofKind]*shape{preset.HMAC: &hmacShape, preset.Header: &headerProofShape, preset.Query: &queryProofShape, preset.Body: &bodyProofShape}
}
