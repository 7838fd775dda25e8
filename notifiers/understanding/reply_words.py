"""The words that short answers are made of, in English, German, Arabic, French, Spanish, Portuguese, Russian,
Italian, Indonesian, Japanese and Chinese.

Any of them is understood in any language, since people answer in the one at hand. A word that means something else
in another of these languages is left out ("pronto": ready in Portuguese, soon in Spanish; "不要": not needed in
Japanese, a refusal in Chinese; "fine": the end in Italian, well in English). So is a purpose that would make a report
of a halt read as a stop: faults are 異常通知 and 故障通知, since 異常停止 and 故障停止 say what a machine did.
STOP's English words are those that carriers obey: STOP, STOPALL, UNSUBSCRIBE, CANCEL, END, QUIT, REVOKE, OPTOUT;
likewise START, UNSTOP (Twilio, "Advanced Opt-Out"). T and TD are what Chinese carriers ask for.
"""

from device_models.purpose import Purpose

STOP = """
stop | stopall | unsubscribe | optout | opt out | no more | do not contact | don't contact | remove
take off the list
stopp | stoppen | abmelden | abbestellen | austragen | keine mehr | nicht mehr
توقف | توقفوا | أوقف | أوقفوا | إيقاف | ستوب | إلغاء الاشتراك | ألغ الاشتراك | كفى
arrêt | arrêter | arrêtez | stopper | désabonner | se désabonner | désinscrire | désinscription | plus de | plus d'
alto | parar | pare | paren | no más
baja | darme de baja | darme baja | quiero darme de baja | quiero darme baja | dar de baja | dar baja
sair | descadastrar | remover | chega de | não mais
стоп | отписаться | отпишите | отпишите меня | отписка | прекратите | прекратить | хватит | не присылайте | не пишите
basta | disiscrivimi | disiscrivetemi | disiscriversi | disiscrizione | cancellami | cancellatemi | smettete | fermare
berhenti | hentikan | berhenti berlangganan | jangan kirim | jangan kirim lagi | tidak mau lagi
停止 | ストーップ | 配信停止 | 停止希望 | 配信停止希望 | 配信不要 | 不要です | 配信解除 | 登録解除 | 退会 | ストップ
やめて
止めて | 送らないで | いりません
退订 | 退訂 | 取消订阅 | 取消訂閱 | 不要再发 | 不要再发了 | 别再发 | 别再发了 | 别发了 | 不要再發 | 不再接收
不想再收到 | 拒收
"""
STOP_ALONE = """
cancel | end | quit | revoke | beenden | ende | widerruf | widerrufen | إلغاء | قف | annuler | cancelar | detener
отмена | отменить | annulla | disdire | batal | batalkan | 中止 | キャンセル | 解除 | 取消 | t | td
"""
"""Stops as a whole message only: "cancel service" may well be about the appointment."""

START = """
start | unstop | resume | subscribe | optin | opt in
starten | anmelden | fortsetzen
ابدأ | ابدؤوا | بدء | استئناف | اشتراك | تفعيل
démarrer | commencer | reprendre
iniciar | empezar | comenzar | reanudar | alta
começar | retomar
старт | начать | возобновить | подписаться | подпишите
inizia | avvia | riprendi | riattiva
mulai | lanjutkan | langganan | berlangganan | aktifkan
開始 | 再開 | 配信開始 | 配信再開 | スタート
开始 | 订阅 | 訂閱 | 重新订阅 | 继续接收
"""
HELP = """
help | info | information | hilfe | مساعدة | المساعدة | ساعدوني | aide | ayuda | ajuda | informationen | informação
помощь | помогите | справка | aiuto | bantuan | bantu | tolong | ヘルプ | 助けて | 帮助 | 幫助 | 求助
"""
DONE = """
done | finished | completed | it is done | it's done | all done | i did it | did it
erledigt | fertig | gemacht | ist erledigt | habe ich gemacht | wurde erledigt | schon erledigt
تم | تم ذلك | تمت | انتهى | انتهيت | أنجزت | تم الإنجاز
fait | c'est fait | terminé
hecho | listo | ya está | terminado
feito | está feito | já fiz | concluído
готово | сделано | уже сделано | всё сделано | выполнено | сделал | сделала
fatto | già fatto | finito | completato
selesai | sudah | sudah selesai | sudah dilakukan | beres | sudah beres
完了 | 完了しました | 済み | 済 | 済みました | 終わりました | できました
完成 | 完成了 | 已完成 | 已经完成 | 做好了 | 好了 | 搞定 | 搞定了
"""
LATER = """
later | not now | remind | remind later | not yet
später | spaeter | nicht jetzt | noch nicht | erinnern | später erinnern
لاحقا | لاحقًا | فيما بعد | في ما بعد | ليس الآن | بعدين | ذكرني لاحقا
plus tard | pas maintenant
más tarde | luego | después | ahora no
mais tarde | depois | agora não
позже | попозже | потом | не сейчас | ещё нет | напомните позже
più tardi | dopo | non ora | non adesso | ricordamelo più tardi
nanti | nanti saja | belum | tidak sekarang | ingatkan nanti | lain kali
あとで | 後で | のちほど | 後ほど | また後で | また今度 | まだ | まだです
稍后 | 稍后提醒 | 稍後 | 以后再说 | 晚点 | 晚点再说 | 还没 | 还没有
"""
YES = """
yes | y | yep | yeah | ja | نعم | أجل | oui | sí | si | sim
да | iya | ya | はい | ええ | 是 | 是的 | 好 | 好的 | 对
"""
NO = """
no | n | nope | nein | لا | non | não
нет | tidak | nggak | いいえ | いや | 不 | 不是 | 不用
"""

FIXED = """
works | works again | it works again | fixed | solved | geht wieder | läuft wieder | funktioniert wieder | behoben
gelöst
يعمل | يعمل الآن | انحلت | تم الحل | remarche | ça remarche | ça marche | réparé | résolu | funciona | ya funciona
arreglado
solucionado | resuelto | voltou a funcionar | resolvido | consertado | работает | снова работает | заработало
исправлено
funziona | funziona di nuovo | risolto | sudah normal | normal lagi | sudah berfungsi | 直りました | 直った | 修好了
恢复了
恢复正常
"""
CALL_ME = """
call | call me | callback | phone me | anrufen | rückruf | bitte anrufen | اتصلوا بي | اتصل بي | اتصال | rappel
rappelez moi
appelez moi | llamada | llámenme | llámame | ligar | me ligue | me liguem | ligação | позвоните | перезвоните | звонок
chiamatemi | richiamatemi | telepon | telepon saya | hubungi saya | 電話希望 | 電話ください | 电话 | 打电话
给我打电话
"""
BOOK = """
book | book a visit | visit | appointment | book a service | termin | terminwunsch | techniker | موعد | حجز | زيارة
rendez vous
rdv | visite | cita | una cita | visita | agendar | agendar visita | запись | записаться | визит | appuntamento
janji temu
kunjungan | jadwal | 予約 | 訪問 | 预约 | 上门
"""

EVERYTHING = """
all | everything | alle | alles | الكل | جميع | كل | tout | toutes | tous | todo | todos | todas | tudo
все | всё | tutto | tutti | tutte | semua | すべて | 全て | 全部 | 所有
"""

PURPOSES = {
    Purpose.OFFER: """offer | offers | promo | promos | promotions | ads | advertising | marketing | angebot
angebote
        werbung | عرض | عروض | العروض | الإعلانات | offre | offres | publicité | pub | oferta | ofertas | promociones
        promoções | publicidade | publicidad | предложения | предложение | акции | реклама | рекламу | offerte
        promozioni
        pubblicità | penawaran | promo | iklan | 特典 | 特典のご案内 | クーポン | 広告 | 优惠 | 優惠 | 促销 | 广告""",
    Purpose.NEWS: """news | newsletter | neuigkeiten | الأخبار | أخبار | النشرة | actualités
        nouvelles | noticias | novedades | notícias | novidades | новости | notizie | novità | berita | kabar
        ニュース | 资讯 | 資訊 | 新闻""",
    Purpose.MAINTENANCE: """maintenance | service | services | reminder | reminders | wartung | wartungen
erinnerungen
        صيانة | الصيانة | التذكير | entretien | rappels | mantenimiento | recordatorios | manutenção | lembretes
        обслуживание | напоминания
        напоминания об обслуживании | manutenzione | promemoria | perawatan | servis | pengingat | pengingat perawatan
        点検通知 | 点検のお知らせ | 点検案内 | 保养提醒 | 保養提醒 | 保养通知""",
    Purpose.FAULT: """fault | faults | alert | alerts | alarms | störung | störungen | störungsmeldungen | fehler
        الأعطال | أعطال | العطل | التنبيهات | pannes | alertes | averías | fallos | alertas | avarias | falhas
        неисправности | неисправность | сбои | поломки
        сообщения о неисправностях | guasti | avvisi | info gangguan | notifikasi gangguan | peringatan gangguan
        異常通知 | 異常のお知らせ | 故障通知 | 故障提醒""",
    Purpose.SAFETY: """safety | sicherheit | sicherheitshinweise | السلامة | سلامة | sécurité | seguridad | segurança
        безопасность | предупреждения о безопасности | sicurezza | keselamatan | pemberitahuan keselamatan
        安全通知""",
}

POLITE = """
please | pls | very much | so much | a lot | cheers | plz | kindly | hi | hello | dear team | regards | ok
immediately | ty | thanks | thank you | thx
now | me | my | us | the | messages | message | texts | sms | emails
sending | texting | writing | these | your | and
bitte | danke | hallo | sofort | endlich | mfg | grüße | dankeschön | vielen dank | jetzt | mir | mich | und
nachrichten | meldungen | die | senden | schicken
شكرا جزيلا | جزيلا | من فضلك | من فضلكم | لو سمحت | لو سمحتم | لو سمحتوا | الرجاء | أرجو | أرجوكم | الرسايل | رجاء
رجاءً | شكرا | شكرًا
الرسائل | رسائل | إرسال | و
s'il vous plaît | s'il te plaît | svp | stp | bonjour | cordialement | merci | beaucoup | les | des | messages
envoyer
muchas | muito | por favor | porfa | porfavor | gracias | hola | saludos | olá | ya | agora | ahora | mensajes | los
las | enviar
obrigado | obrigada | mensagens | as | os | de | y
большое | огромное | пожалуйста | плиз | спасибо | здравствуйте | мне | больше | и | сообщения | уведомления | смс
рассылку
присылать | отправлять
per favore | grazie | messaggi | di | gli
mohon | tolong | banyak | terima kasih | makasih | pesan | saya | kirim | mengirim | dan | ya | dong | deh | aja
saja | kak
min | lah
ください | 下さい | お願いいたします | 願います | お願い致します | でお願いします | をお願いします | ます | したいです
したい | してください | して下さい | です | お願い | お願いします | ありがとう | ありがとうございます
を | の | は | もう | 今すぐ
メッセージ | お知らせ | 通知 | メール | 配信 | 送信
非常感谢 | 十分感谢 | 感谢 | 多谢 | 帮我 | 请 | 請 | 麻烦你 | 您 | 你们 | 你好 | 给我 | 谢谢 | 謝謝 | 麻烦 | 我 | 给我
信息 | 消息 | 短信 | 发送 | 再 | 向我
"""
"""What may stand around a keyword without changing it."""

NUMBERED = """
number | no | nr | option | choice | answer | i choose | i take | nummer | antwort | رقم | الخيار | خيار | numéro
choix | réponse
número | opción | opcion | elijo | respuesta | opção | escolho | resposta | номер | вариант | выбираю | ответ | numero
opzione
nomor | pilihan | pilih | nomer | 番 | 番で | で | 番です | 号 | 第 | 选 | 選 | 选择 | 我选 | 個 | 个 | を選びます
"""
"""What people put before or behind the number they choose."""
