"""Workers: functions hosted in processes that connect out to the server."""
