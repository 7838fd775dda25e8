import pytest
from hypothesis import given
from hypothesis import strategies as st

from device_models.purpose import Purpose
from notifiers.replies import Intent, read_reply


@pytest.mark.parametrize(
    "text",
    [
        # English, the words that carriers obey among them
        "STOP", "stop", "Stop.", "“STOP”", "STOPALL", "unsubscribe", "Cancel", "END", "quit", "revoke", "optout",
        "opt out", "opt-out", "Please stop", "stop please", "STOP!!!", "stop messages", "Stop sending me messages",
        "stop texting me", "no more messages", "please remove me", "stop now", "stop, thanks",
        # German
        "Stopp", "stopp bitte", "Abmelden", "bitte abmelden", "abbestellen", "Keine Nachrichten mehr",
        "bitte keine Nachrichten mehr", "Austragen", "beenden", "widerrufen", "Bitte stoppen", "stop danke",
        # Arabic, with and without vowel signs and hamza
        "إيقاف", "ايقاف", "توقف", "توقّف", "أوقف", "اوقف", "إلغاء", "الغاء", "إلغاء الاشتراك", "أوقف الرسائل",
        "من فضلك توقف", "إيقاف الرسائل", "قف",
        # French, Spanish, Portuguese
        "Arrêt", "arret", "arrêtez s'il vous plaît", "stopper", "désabonner", "alto", "BAJA", "parar",
        "no más mensajes",
        "darme de baja por favor", "sair", "pare por favor", "descadastrar", "cancelar",
        # Russian, Italian, Indonesian
        "СТОП", "стоп пожалуйста", "Отписаться", "Отпишите меня, пожалуйста", "Не присылайте мне больше сообщения",
        "больше не пишите", "Отмена", "Basta", "basta messaggi per favore", "disiscrivimi", "annulla",
        "Berhenti", "tolong berhenti kirim pesan", "hentikan", "jangan kirim lagi", "batal",
        # Japanese and Chinese, which put no spaces between words
        "停止", "停止。", "配信停止", "配信停止をお願いします", "停止してください",
        "メッセージの配信を停止してください", "ストップ",
        "もう送らないでください", "やめてください", "不要です", "退会",
        "退订", "退訂", "请退订", "T", "TD", "取消订阅", "停止发送", "请停止发送短信", "不要再发了", "别再发了",
    ],
)  # fmt: skip
def test_a_stop_is_heard_in_every_language(text: str) -> None:
    reply = read_reply(text)

    assert (reply.intent, reply.purposes, reply.everything) == (Intent.STOP, frozenset(), False)


@pytest.mark.parametrize(
    ("text", "purposes"),
    [
        ("STOP OFFERS", {Purpose.OFFER}),
        ("stop the offers please", {Purpose.OFFER}),
        ("no more ads", {Purpose.OFFER}),
        ("stop offers and news", {Purpose.OFFER, Purpose.NEWS}),
        ("STOPP ANGEBOTE", {Purpose.OFFER}),
        ("keine Werbung mehr bitte", {Purpose.OFFER}),
        ("Stopp Wartung", {Purpose.MAINTENANCE}),
        ("stop alerts", {Purpose.FAULT}),
        ("إيقاف العروض", {Purpose.OFFER}),
        ("أوقف الصيانة من فضلك", {Purpose.MAINTENANCE}),
        ("plus d'offres s'il vous plaît", {Purpose.OFFER}),
        ("no más ofertas", {Purpose.OFFER}),
        ("parar promoções", {Purpose.OFFER}),
        ("stop safety", {Purpose.SAFETY}),
        ("стоп реклама", {Purpose.OFFER}),
        ("STOP INFO GANGGUAN", {Purpose.FAULT}),
        ("basta offerte grazie", {Purpose.OFFER}),
        ("停止 特典", {Purpose.OFFER}),
        ("特典の配信を停止してください", {Purpose.OFFER}),
        ("退订优惠", {Purpose.OFFER}),
        ("请退订保养提醒", {Purpose.MAINTENANCE}),
    ],
)
def test_a_stop_may_name_what_it_is_about(text: str, purposes: set[Purpose]) -> None:
    reply = read_reply(text)

    assert reply.intent is Intent.STOP
    assert set(reply.purposes) == purposes
    assert reply.purpose == (next(iter(purposes)) if len(purposes) == 1 else None)


@pytest.mark.parametrize(
    "text",
    [
        "STOP ALL",
        "stop everything",
        "Stopp alle Nachrichten",
        "إيقاف الكل",
        "parar tudo",
        "стоп всё",
        "すべて停止",
        "退订所有消息",
    ],
)
def test_stop_all_is_about_everything(text: str) -> None:
    reply = read_reply(text)

    assert (reply.intent, reply.everything, reply.purposes) == (Intent.STOP, True, frozenset())


@pytest.mark.parametrize(
    "text",
    [
        "It does not stop beeping",
        "The freezer stopped again",
        "cancel service",
        "Can you cancel the appointment on Monday?",
        "Wann kommt der Techniker?",
        "Das Gerät stoppt nicht",
        "الجهاز لا يتوقف عن الصفير",
        "Морозильник остановился",
        "Freezer berhenti lagi",
        "運転停止",
        "異常停止しました",
        "故障停止",
        "冰箱停止了",
        "停止了",
        "不要停止",
        "まだ冷えません",
        "the end of the hose is loose",
        "start at 10?",
        "It is done by the technician but the light still blinks",
        "",
        "   ",
        "👍",
        "?!",
        "me",
        "de",
        "offers",
        "stop " * 12,
    ],
)
def test_a_sentence_of_their_own_is_left_to_a_person(text: str) -> None:
    assert read_reply(text).intent is Intent.TEXT


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("START", Intent.START),
        ("unstop", Intent.START),
        ("ابدأ", Intent.START),
        ("Fortsetzen", Intent.START),
        ("HELP", Intent.HELP),
        ("Hilfe!", Intent.HELP),
        ("مساعدة", Intent.HELP),
        ("ayuda", Intent.HELP),
        ("DONE", Intent.DONE),
        ("done, thanks", Intent.DONE),
        ("It's done", Intent.DONE),
        ("Erledigt", Intent.DONE),
        ("ist erledigt, danke", Intent.DONE),
        ("تم", Intent.DONE),
        ("تمّ، شكرًا", Intent.DONE),
        ("c'est fait", Intent.DONE),
        ("hecho", Intent.DONE),
        ("feito", Intent.DONE),
        ("later", Intent.LATER),
        ("not now", Intent.LATER),
        ("remind me later please", Intent.LATER),
        ("später", Intent.LATER),
        ("Spaeter bitte", Intent.LATER),
        ("لاحقا", Intent.LATER),
        ("لاحقًا", Intent.LATER),
        ("plus tard", Intent.LATER),
        ("más tarde", Intent.LATER),
        ("yes", Intent.YES),
        ("Ja", Intent.YES),
        ("نعم", Intent.YES),
        ("sí", Intent.YES),
        ("no", Intent.NO),
        ("Готово", Intent.DONE),
        ("всё сделано", Intent.DONE),
        ("fatto, grazie", Intent.DONE),
        ("Sudah selesai, terima kasih", Intent.DONE),
        ("完了しました", Intent.DONE),
        ("完了です。ありがとうございます", Intent.DONE),
        ("已完成", Intent.DONE),
        ("позже", Intent.LATER),
        ("più tardi", Intent.LATER),
        ("nanti saja", Intent.LATER),
        ("あとでお願いします", Intent.LATER),
        ("稍后", Intent.LATER),
        ("старт", Intent.START),
        ("再開", Intent.START),
        ("mulai", Intent.START),
        ("订阅", Intent.START),
        ("помощь", Intent.HELP),
        ("tolong", Intent.HELP),
        ("ヘルプ", Intent.HELP),
        ("帮助", Intent.HELP),
        ("да", Intent.YES),
        ("はい", Intent.YES),
        ("нет", Intent.NO),
        ("いいえ", Intent.NO),
        ("Nein", Intent.NO),
        ("لا", Intent.NO),
    ],
)
def test_short_answers_are_understood(text: str, intent: Intent) -> None:
    assert read_reply(text).intent is intent


@pytest.mark.parametrize(("text", "number"), [("1", 1), (" 2. ", 2), ("٢", 2), ("۱", 1)])
def test_a_number_picks_what_the_message_offered(text: str, number: int) -> None:
    options = (Intent.DONE, Intent.LATER)

    assert read_reply(text, options).intent is options[number - 1]
    assert read_reply(text, options).number == number
    assert read_reply(text).intent is Intent.TEXT


@pytest.mark.parametrize("text", ["0", "3", "99999999999999999999"])
def test_a_number_that_was_not_offered_is_for_a_person(text: str) -> None:
    assert read_reply(text, (Intent.DONE, Intent.LATER)).intent is Intent.TEXT


@given(st.text(max_size=200))
def test_reading_never_raises_and_keeps_the_words(text: str) -> None:
    assert read_reply(text, (Intent.DONE,)).text == text.strip()


@given(st.sampled_from(["STOP", "stopp", "إيقاف", "arrêt"]), st.sampled_from([".", "!", " ", "\n", "…", "؟", '"', "*"]))
def test_punctuation_never_hides_a_stop(word: str, mark: str) -> None:
    assert read_reply(f"{mark}{word}{mark}").intent is Intent.STOP
