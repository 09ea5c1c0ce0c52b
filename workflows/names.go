// Package workflows is the deterministic code of PiCloud: what Temporal records and replays. It does nothing itself: all work is in activities.
package workflows

import (
	"strings"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
)

// The names under which the workflows are registered. Histories hold them: never change one.
const (
	ExecutionName  = "Execution"
	RetentionName  = "Retention"
	CronTickName   = "CronTick"
	BulkReplayName = "BulkReplay"
	SendMailName   = "SendMail"
)

// The task queues.
const (
	TaskQueue        = "picloud"         // workflows, local activities and short activities
	ScriptsTaskQueue = "picloud-scripts" // attempts as normal activities: retries and long scripts
)

// RetentionScheduleID is the id of the Schedule that starts Retention, and the start of its workflows' ids.
const RetentionScheduleID = "retention"

// CronIDPrefix begins the ids of the Schedules of cron triggers, and of the workflows that these start: the trigger's id follows.
const CronIDPrefix = "cron:"

// executionIDPrefix begins the workflow ids of executions.
const executionIDPrefix = "execution:"

// ExecutionID is the workflow id of the execution with that id.
func ExecutionID(executionID string) string { return executionIDPrefix + executionID }

// bulkReplayIDPrefix begins the workflow ids of bulk replays.
const bulkReplayIDPrefix = "bulk-replay:"

// BulkReplayID is the workflow id of the bulk replay with that id.
func BulkReplayID(id string) string { return bulkReplayIDPrefix + id }

// mailIDPrefix begins the workflow ids of mails.
const mailIDPrefix = "mail:"

// MailID is the workflow id of the hand-over of a mail, whose execution has that id.
func MailID(executionID string) string { return mailIDPrefix + executionID }

// Executed is the id of the execution whose workflow has that id; "" when it is the workflow of something else.
func Executed(workflowID string) string {
	for _, prefix := range []string{executionIDPrefix, mailIDPrefix} {
		if id, ok := strings.CutPrefix(workflowID, prefix); ok {
			return id
		}
	}
	return ""
}

// The search attributes of an Execution, all of them set at its start. They hold names, never payload data.
var (
	AppKey      = temporal.NewSearchAttributeKeyKeyword("PiCloudApp") // the app's slug
	ScriptKey   = temporal.NewSearchAttributeKeyKeyword("PiCloudScript")
	TriggerKey  = temporal.NewSearchAttributeKeyKeyword("PiCloudTrigger") // the trigger's name
	KindKey     = temporal.NewSearchAttributeKeyKeyword("PiCloudKind")
	RootKey     = temporal.NewSearchAttributeKeyKeyword("PiCloudRoot")     // id of the event that started the tree
	ReplayOfKey = temporal.NewSearchAttributeKeyKeyword("PiCloudReplayOf") // id of the dead letter
	DepthKey    = temporal.NewSearchAttributeKeyInt64("PiCloudDepth")
)

// SearchAttributes are all of them with their types, as a namespace must know them before the first start.
var SearchAttributes = map[string]enumspb.IndexedValueType{
	AppKey.GetName():      AppKey.GetValueType(),
	ScriptKey.GetName():   ScriptKey.GetValueType(),
	TriggerKey.GetName():  TriggerKey.GetValueType(),
	KindKey.GetName():     KindKey.GetValueType(),
	RootKey.GetName():     RootKey.GetValueType(),
	ReplayOfKey.GetName(): ReplayOfKey.GetValueType(),
	DepthKey.GetName():    DepthKey.GetValueType(),
}
