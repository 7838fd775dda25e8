"""What an incident is called, in the languages of customers: no rule's author wrote it, so no rule's title has it."""

from collections.abc import Mapping

STORM: Mapping[str, str] = {
    "en": "More faults at once than cases can be read",
    "de": "Mehr Störungen zugleich, als sich Fälle lesen lassen",
    "ar": "أعطال متزامنة أكثر مما يمكن قراءته من الحالات",
    "es": "Más averías a la vez de las que se pueden leer como casos",
    "fr": "Plus de pannes à la fois que de dossiers que l’on peut lire",
    "id": "Lebih banyak gangguan serentak daripada kasus yang dapat dibaca",
    "ja": "読みきれないほど多くの不具合が同時に発生しています",
    "pt": "Mais falhas ao mesmo tempo do que casos que se conseguem ler",
    "ru": "Одновременно больше неисправностей, чем обращений можно прочитать",
    "zh": "同时发生的故障多得无法逐一查看",
}
FLEET: Mapping[str, str] = {
    "en": "Several devices of a kind have the same fault",
    "de": "Mehrere gleiche Geräte haben denselben Fehler",
    "ar": "عدة أجهزة متماثلة بها العطل نفسه",
    "es": "Varios dispositivos iguales tienen la misma avería",
    "fr": "Plusieurs appareils identiques ont la même panne",
    "id": "Beberapa perangkat sejenis mengalami gangguan yang sama",
    "ja": "同じ種類の複数の機器で同じ不具合が発生しています",
    "pt": "Vários aparelhos iguais têm a mesma falha",
    "ru": "У нескольких одинаковых устройств одна и та же неисправность",
    "zh": "多台同类设备出现相同故障",
}
_SITE: Mapping[str, str] = {
    "en": "No data from site {name}: {count} devices",
    "de": "Keine Daten vom Standort {name}: {count} Geräte",
    "ar": "لا بيانات من الموقع {name}: {count} أجهزة",
    "es": "Sin datos del lugar {name}: {count} dispositivos",
    "fr": "Aucune donnée du site {name} : {count} appareils",
    "id": "Tidak ada data dari lokasi {name}: {count} perangkat",
    "ja": "設置場所 {name} からデータが届いていません（{count} 台）",
    "pt": "Sem dados do local {name}: {count} aparelhos",
    "ru": "Нет данных с объекта {name}, устройств: {count}",
    "zh": "地点 {name} 没有数据（{count} 台设备）",
}
_HUB: Mapping[str, str] = {
    "en": "No data from hub {name}: {count} devices",
    "de": "Keine Daten über die Zentrale {name}: {count} Geräte",
    "ar": "لا بيانات من الموزع {name}: {count} أجهزة",
    "es": "Sin datos de la central {name}: {count} dispositivos",
    "fr": "Aucune donnée de la centrale {name} : {count} appareils",
    "id": "Tidak ada data dari hub {name}: {count} perangkat",
    "ja": "ハブ {name} からデータが届いていません（{count} 台）",
    "pt": "Sem dados da central {name}: {count} aparelhos",
    "ru": "Нет данных от хаба {name}, устройств: {count}",
    "zh": "网关 {name} 没有数据（{count} 台设备）",
}


def place_title(kind: str, name: str, count: int) -> dict[str, str]:
    """Say that a ``site`` or ``hub`` is gone, and with it so many devices."""
    texts = _HUB if kind == "hub" else _SITE
    # Not str.format: a name of somebody's own may have braces.
    return {language: text.replace("{count}", str(count)).replace("{name}", name) for language, text in texts.items()}
