// What stands on a phone in its owner's language; messages themselves come as they were sent.

const WORDS = {
  en: { write: "Message", send: "Send", inbox: "Inbox", back: "Back", sent: "Sent", received: "Delivered", failed: "Not delivered", quiet: "Quiet hours", none: "No messages", today: "Today", open: "Open" },
  de: { write: "Nachricht", send: "Senden", inbox: "Posteingang", back: "Zurück", sent: "Gesendet", received: "Zugestellt", failed: "Nicht zugestellt", quiet: "Ruhezeit", none: "Keine Nachrichten", today: "Heute", open: "Öffnen" },
  fr: { write: "Message", send: "Envoyer", inbox: "Boîte de réception", back: "Retour", sent: "Envoyé", received: "Distribué", failed: "Non distribué", quiet: "Heures calmes", none: "Aucun message", today: "Aujourd’hui", open: "Ouvrir" },
  es: { write: "Mensaje", send: "Enviar", inbox: "Recibidos", back: "Atrás", sent: "Enviado", received: "Entregado", failed: "No entregado", quiet: "Horas de silencio", none: "Sin mensajes", today: "Hoy", open: "Abrir" },
  pt: { write: "Mensagem", send: "Enviar", inbox: "Caixa de entrada", back: "Voltar", sent: "Enviada", received: "Entregue", failed: "Não entregue", quiet: "Horário de silêncio", none: "Nenhuma mensagem", today: "Hoje", open: "Abrir" },
  it: { write: "Messaggio", send: "Invia", inbox: "Posta in arrivo", back: "Indietro", sent: "Inviato", received: "Consegnato", failed: "Non consegnato", quiet: "Ore di silenzio", none: "Nessun messaggio", today: "Oggi", open: "Apri" },
  ja: { write: "メッセージ", send: "送信", inbox: "受信トレイ", back: "戻る", sent: "送信済み", received: "配信済み", failed: "未配信", quiet: "おやすみ時間", none: "メッセージはありません", today: "今日", open: "開く" },
  id: { write: "Pesan", send: "Kirim", inbox: "Kotak masuk", back: "Kembali", sent: "Terkirim", received: "Diterima", failed: "Gagal terkirim", quiet: "Jam tenang", none: "Tidak ada pesan", today: "Hari ini", open: "Buka" },
  ru: { write: "Сообщение", send: "Отправить", inbox: "Входящие", back: "Назад", sent: "Отправлено", received: "Доставлено", failed: "Не доставлено", quiet: "Тихие часы", none: "Нет сообщений", today: "Сегодня", open: "Открыть" },
  zh: { write: "消息", send: "发送", inbox: "收件箱", back: "返回", sent: "已发送", received: "已送达", failed: "未送达", quiet: "免打扰时段", none: "没有消息", today: "今天", open: "打开" },
  ar: { write: "رسالة", send: "إرسال", inbox: "البريد الوارد", back: "رجوع", sent: "أُرسلت", received: "تم التسليم", failed: "لم تُسلَّم", quiet: "ساعات الهدوء", none: "لا توجد رسائل", today: "اليوم", open: "فتح" },
};
const RIGHT_TO_LEFT = new Set(["ar", "arc", "ckb", "dv", "fa", "he", "ks", "nqo", "ps", "sd", "ug", "ur", "yi"]);

export const CHANNELS = { sms: "SMS", whatsapp: "WhatsApp", email: "Mail" };

export function wordsFor(locale) {
  return WORDS[locale.split("-")[0]] ?? WORDS.en;
}

export function directionOf(locale) {
  return RIGHT_TO_LEFT.has(locale.split("-")[0]) ? "rtl" : "ltr";
}

/** "Portuguese" of pt-BR, for the visitor of the demo. */
export function languageOf(locale) {
  return new Intl.DisplayNames(["en"], { type: "language" }).of(new Intl.Locale(locale).language);
}

/** "Sao Paulo" of America/Sao_Paulo. */
export function placeOf(timezone) {
  return timezone.split("/").at(-1).replaceAll("_", " ");
}
