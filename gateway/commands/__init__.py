"""What changes the store besides devices: people, providers and timers. Each is an input of the one writer.

The web, the outbox and the scheduler submit commands and wait for the commit; they never edit rows themselves.
``by`` is the user's name, ``customer`` for the customer's own page, or the part of the gateway that acts.
"""

from datetime import datetime
from typing import Any, Protocol

from gateway.commands.accounts import (
    AccountCommand,
    ChangePassword,
    DropApiToken,
    DropSecondFactor,
    EndSessions,
    OpenAccountLink,
    RegisterCommand,
    SaveApiToken,
    SaveSession,
    SaveUser,
    SetDisabled,
    SetRole,
    SetSecondFactor,
    UseAccountLink,
    UseSecondFactor,
)
from gateway.commands.cases import (
    Acknowledge,
    AddNote,
    AgentCommand,
    Assign,
    CaseCommand,
    DeviceCommandSent,
    DropPhrase,
    DropView,
    Escalate,
    GiveVerdict,
    HandToField,
    LinkCases,
    MergeCase,
    OpenCase,
    Reopen,
    Resolve,
    SaveMacro,
    SaveView,
    SendDeviceCommand,
    Snooze,
    SplitCase,
    TeachPhrase,
    TickStep,
    UnmergeCase,
    Unresolve,
    WaitForCustomer,
    WakeCases,
)
from gateway.commands.conditional import Unchanged
from gateway.commands.desk import (
    AnswerSurvey,
    AskForCall,
    CancelBooking,
    ConfirmBooking,
    DeskCommand,
    HoldSlot,
    MuteByCustomer,
    OfferSlots,
    SettleTask,
    UnmuteByCustomer,
    WishDate,
)
from gateway.commands.drafts import (
    BeginDraft,
    DraftCommand,
    DropDraft,
    KeepBacktest,
    NoteBacktest,
    PutDraftLive,
    SaveDraft,
)
from gateway.commands.enrolment import (
    AnswerCheck,
    DropAddress,
    EnrolmentCommand,
    ForgetChecks,
    LinkAddress,
    MakeClaimCodes,
    MakeLinkCode,
    RevokeLinks,
    SaveSettings,
    SendCheck,
    StartClaim,
)
from gateway.commands.help_desks import HelpDeskCommand, LinkTicket, TicketComment, TicketRead, TicketStatusSet
from gateway.commands.messages import (
    Approve,
    AskLater,
    ChannelBlocked,
    CustomerWrote,
    Discard,
    DiscardMessage,
    ForgetUnjoined,
    HandOver,
    HandOverFailed,
    Hold,
    JoinMessage,
    MailArrived,
    MailBounced,
    MediaFetched,
    MediaNotFetched,
    MessageCommand,
    MessageTagged,
    MessageTranslated,
    NoReceipt,
    ReceiptArrived,
    Reply,
    Resend,
    SendFailed,
    SendSurveys,
    Sent,
    ServiceAnswered,
    SetConsent,
    SettleOutcomes,
    StepTried,
    WatchSteps,
)
from gateway.commands.offers import ForgetVisits, OfferCommand, OfferOpened, RedeemOffers, Redemption
from gateway.commands.people import (
    EndContact,
    EraseCustomer,
    HistoryForgot,
    LearnDevices,
    PeopleCommand,
    ReplaceDevice,
    SaveContact,
    TransferDevice,
)
from gateway.commands.records import RecordCommand, SetMeta, Upsert
from gateway.commands.rules import (
    CreateSilence,
    EndSilence,
    EndStorm,
    ForgetChanges,
    JudgeWouldBe,
    PromoteRule,
    PutFilesLive,
    PutRulesLive,
    RollBackRules,
    RuleCommand,
    Sweep,
)
from gateway.commands.staff import StaffCommand
from gateway.commands.subscriptions import (
    AdvanceSubscription,
    OpenSubscription,
    PutEventAside,
    ResumeSubscription,
    SubscriptionCommand,
    SubscriptionFailed,
)
from gateway.commands.texts import DropTextDraft, NoteTestSend, SaveText, SaveTextDraft, TextCommand

__all__ = [
    "Acknowledge",
    "AddNote",
    "AdvanceSubscription",
    "AnswerCheck",
    "AnswerSurvey",
    "Approve",
    "AskForCall",
    "AskLater",
    "Assign",
    "BeginDraft",
    "CancelBooking",
    "ChangePassword",
    "ChannelBlocked",
    "Command",
    "CommandRefused",
    "Commands",
    "ConfirmBooking",
    "CreateSilence",
    "CustomerWrote",
    "DeviceCommandSent",
    "Discard",
    "DiscardMessage",
    "DropAddress",
    "DropApiToken",
    "DropDraft",
    "DropPhrase",
    "DropSecondFactor",
    "DropTextDraft",
    "DropView",
    "EndContact",
    "EndSessions",
    "EndSilence",
    "EndStorm",
    "EraseCustomer",
    "Escalate",
    "ForgetChanges",
    "ForgetChecks",
    "ForgetUnjoined",
    "ForgetVisits",
    "GiveVerdict",
    "HandOver",
    "HandOverFailed",
    "HandToField",
    "HistoryForgot",
    "Hold",
    "HoldSlot",
    "JoinMessage",
    "JudgeWouldBe",
    "KeepBacktest",
    "LearnDevices",
    "LinkAddress",
    "LinkCases",
    "LinkTicket",
    "MailArrived",
    "MailBounced",
    "MakeClaimCodes",
    "MakeLinkCode",
    "MediaFetched",
    "MediaNotFetched",
    "MergeCase",
    "MessageTagged",
    "MessageTranslated",
    "MuteByCustomer",
    "NoReceipt",
    "NoteBacktest",
    "NoteTestSend",
    "OfferOpened",
    "OfferSlots",
    "OpenAccountLink",
    "OpenCase",
    "OpenSubscription",
    "PromoteRule",
    "PutDraftLive",
    "PutEventAside",
    "PutFilesLive",
    "PutRulesLive",
    "ReceiptArrived",
    "RedeemOffers",
    "Redemption",
    "Reopen",
    "ReplaceDevice",
    "Reply",
    "Resend",
    "Resolve",
    "ResumeSubscription",
    "RevokeLinks",
    "RollBackRules",
    "SaveApiToken",
    "SaveContact",
    "SaveDraft",
    "SaveMacro",
    "SaveSession",
    "SaveSettings",
    "SaveText",
    "SaveTextDraft",
    "SaveUser",
    "SaveView",
    "SendCheck",
    "SendDeviceCommand",
    "SendFailed",
    "SendSurveys",
    "Sent",
    "ServiceAnswered",
    "SetConsent",
    "SetDisabled",
    "SetMeta",
    "SetRole",
    "SetSecondFactor",
    "SettleOutcomes",
    "SettleTask",
    "Snooze",
    "SplitCase",
    "Stale",
    "StartClaim",
    "StepTried",
    "SubscriptionFailed",
    "Sweep",
    "TeachPhrase",
    "TickStep",
    "TicketComment",
    "TicketRead",
    "TicketStatusSet",
    "TransferDevice",
    "Unchanged",
    "UnmergeCase",
    "UnmuteByCustomer",
    "Unresolve",
    "Upsert",
    "UseAccountLink",
    "UseSecondFactor",
    "WaitForCustomer",
    "WakeCases",
    "WatchSteps",
    "WishDate",
]


class CommandRefused(Exception):
    """Nothing was changed; the message says why and what to do instead. Its catcher shows it (409)."""


class Stale(CommandRefused):
    """Somebody changed the thing since its editor saw it; nothing was done (412)."""

    def __init__(self, thing: str, by: str | None, at: datetime | None, what: str | None) -> None:
        """Keep who changed it when, and what they did, as far as that is known."""
        said = f"{by} changed this meanwhile ({(what or '').replace('_', ' ')})" if by else "this was changed meanwhile"
        super().__init__(f"{said}; look at it again, then decide")
        self.thing, self.by, self.at, self.what = thing, by, at, what


Command = (
    AccountCommand
    | AgentCommand
    | RegisterCommand
    | CaseCommand
    | DeskCommand
    | DraftCommand
    | EnrolmentCommand
    | HelpDeskCommand
    | MessageCommand
    | OfferCommand
    | PeopleCommand
    | PutDraftLive
    | RecordCommand
    | RuleCommand
    | StaffCommand
    | SubscriptionCommand
    | TextCommand
    | Unchanged
)


class Commands(Protocol):
    """Where commands go in; the pipeline is one."""

    async def submit(self, command: Command) -> Any:
        """Run ``command`` in the next transaction and return its result once that has committed.

        Raises CommandRefused where it cannot be done as things stand.
        """
        ...
